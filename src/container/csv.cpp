#include "container/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/error.h"

namespace assay {
namespace {

class CsvReader {
  public:
    CsvReader(std::string_view text, std::size_t fields, std::string_view what)
        : text_(text), what_(what), fields_(fields) {}

    // Reads the next row; false at the end of the text.
    bool next() {
        skip_line_ends();
        if (at_ == text_.size()) return false;
        row_line_ = line_;
        std::size_t count = 0;
        bool more = true;
        while (more) {
            if (count == fields_.size()) fail(fmt::format("more than {} fields", fields_.size()));
            more = read_field(fields_[count++]);
        }
        if (count < fields_.size()) fail(fmt::format("{} fields, expected {}", count, fields_.size()));
        return true;
    }

    CsvRow row() const { return {fields_, row_line_}; }

  private:
    [[noreturn]] void fail(const std::string& reason) const {
        throw FormatError(fmt::format("{}: line {}: {}", what_, row_line_, reason));
    }

    // Length of the line end at `at`, 0 for none.
    std::size_t line_end(std::size_t at) const {
        if (at < text_.size() && text_[at] == '\n') return 1;
        return text_.substr(at, 2) == "\r\n" ? 2 : 0;
    }

    void skip_line_ends() {
        while (const std::size_t length = line_end(at_)) {
            at_ += length;
            ++line_;
        }
    }

    // True where a comma, and so another field, follows.
    bool read_field(std::string& field) {
        if (at_ < text_.size() && text_[at_] == '"')
            read_quoted(field);
        else
            read_plain(field);
        if (at_ == text_.size() || line_end(at_) > 0) return false;
        if (text_[at_] != ',') fail("text after a closing quote");
        ++at_;
        return true;
    }

    void read_plain(std::string& field) {
        const std::size_t begin = at_;
        while (at_ < text_.size() && text_[at_] != ',' && line_end(at_) == 0) ++at_;
        field = text_.substr(begin, at_ - begin);
    }

    void read_quoted(std::string& field) {
        field.clear();
        while (true) {
            const std::size_t begin = ++at_;
            at_ = text_.find('"', begin);
            if (at_ == text_.npos) fail("a quote is opened and never closed");
            const std::string_view part = text_.substr(begin, at_ - begin);
            line_ += static_cast<std::size_t>(std::count(part.begin(), part.end(), '\n'));
            field += part;
            ++at_;
            if (at_ == text_.size() || text_[at_] != '"') return;
            field += '"';
        }
    }

    std::string_view text_, what_;
    std::vector<std::string> fields_;
    std::size_t at_ = 0, line_ = 1, row_line_ = 1;
};

}  // namespace

void for_each_csv_row(std::string_view text, std::size_t fields, std::string_view what,
                      const std::function<void(const CsvRow&)>& found) {
    CsvReader reader(text, fields, what);
    while (reader.next()) found(reader.row());
}

}  // namespace assay
