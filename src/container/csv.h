// CSV from outside: rows of fields (RFC 4180), one at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace assay {

// One row: its fields, and the line on which it begins, counted from 1.
struct CsvRow {
    std::span<const std::string> fields;
    std::size_t line = 0;
};

// Calls found() for each row, in order; empty lines are no rows. Fields are separated by commas; one that
// begins with a quote ends at the next single quote and may hold commas, line ends and quotes, written twice.
// A quote elsewhere is text. Rows end with LF or CRLF. `what` names the text in errors; `fields` is how many
// each row has. Throws FormatError, with the line, for another number of fields, a quote that is never closed
// or that text follows.
void for_each_csv_row(std::string_view text, std::size_t fields, std::string_view what,
                      const std::function<void(const CsvRow&)>& found);

}  // namespace assay
