// Documents in files: whole .txt files, and .jsonl files with a text in one member of each line's object.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"

namespace assay {

// One file, or a text that the program carries.
struct TextSource {
    std::string name;        // in errors and results
    std::string_view bytes;  // UTF-8; an opening byte order mark is not part of the text
    bool lines = false;      // JSON objects, one a line
    std::shared_ptr<const MappedFile> file = nullptr;  // whose bytes they are; null: the program's own
};

// A .txt or .jsonl file, or all of these below a folder, by path. Throws FormatError where there is none,
// for a file of another name, and where one cannot be read.
std::vector<TextSource> open_text_sources(const std::filesystem::path& path);

// Knows where documents lie; reads them one by one.
class DocumentSet {
  public:
    // `member` has the text in the lines of .jsonl. Long .txt files come in pieces of at most `piece_bytes`
    // (at least 4), cut after a line where that leaves half a piece, else between two characters. Lines that
    // hold nothing are no documents. Throws FormatError for a .txt that is not UTF-8.
    DocumentSet(std::vector<TextSource> sources, std::string member, std::size_t piece_bytes);

    const std::vector<TextSource>& sources() const { return sources_; }
    // Of a source: its lines, or the file itself unless it is empty.
    std::int64_t documents(std::size_t source) const { return documents_[source]; }

    // Documents, or pieces of them, in the order of the sources.
    std::size_t size() const { return places_.size(); }

    // The text of one. Throws FormatError naming file and line where it is no JSON object with a text in the
    // member.
    std::string read(std::size_t index) const;

  private:
    struct Place {
        std::size_t source = 0;
        std::size_t first = 0, bytes = 0;
        std::int64_t line = 0;  // from 1; of .jsonl
    };

    void add_lines(std::size_t source);
    void add_pieces(std::size_t source, std::size_t piece_bytes);

    std::vector<TextSource> sources_;
    std::string member_;
    std::vector<std::int64_t> documents_;
    std::vector<Place> places_;
};

}  // namespace assay
