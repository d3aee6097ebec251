// A table of text for terminals: aligned columns, a rule under the header.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// Terminal columns that `text` takes: combining marks 0, East Asian wide characters 2, others 1. Expects
// safe_text().
std::size_t display_width(std::string_view text);

class Table {
  public:
    enum class Align { kLeft, kRight };

    struct Column {
        std::string header;
        Align align = Align::kRight;
    };

    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    // Throws InvalidArgument unless there is one cell a column. Cells are made safe_text().
    void add_row(std::vector<std::string> cells);

    // All lines, each ending in a newline, without trailing blanks.
    std::string text() const;

  private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace assay
