#include "text/documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/error.h"
#include "container/json.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr std::string_view kMark = "\xef\xbb\xbf", kBlanks = " \t\r";

bool is_lines(const std::filesystem::path& path) {
    return path.extension() == ".jsonl";
}

bool is_text(const std::filesystem::path& path) {
    return is_lines(path) || path.extension() == ".txt";
}

TextSource open_source(const std::filesystem::path& path) {
    auto file = MappedFile::open(path);
    const auto bytes = file->bytes();
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
    return {path.string(), text, is_lines(path), std::move(file)};
}

std::vector<std::filesystem::path> files_below(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> files;
    std::error_code failed;
    std::filesystem::recursive_directory_iterator entry(folder, failed);
    for (; !failed && entry != std::filesystem::recursive_directory_iterator(); entry.increment(failed)) {
        std::error_code ignored;
        if (is_text(entry->path()) && entry->is_regular_file(ignored)) files.push_back(entry->path());
    }
    if (failed)
        throw FormatError(
            fmt::format("{}: the folder cannot be read: {}", folder.string(), failed.message()));
    std::sort(files.begin(), files.end());
    return files;
}

// The end of a piece that begins at `first`: at most `most` bytes on, never inside a character.
std::size_t piece_end(std::string_view text, std::size_t first, std::size_t most) {
    if (text.size() - first <= most) return text.size();
    const std::size_t line = text.rfind('\n', first + most - 1);
    if (line != std::string_view::npos && line >= first + most / 2) return line + 1;
    std::size_t end = first + most;
    while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    return end;
}

}  // namespace

std::vector<TextSource> open_text_sources(const std::filesystem::path& path) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) {
        if (std::filesystem::exists(path, ignored) && !is_text(path)) {
            throw FormatError(fmt::format(
                "{}: calibration texts are .txt or .jsonl files, or a folder of them", path.string()));
        }
        return {open_source(path)};
    }
    const auto files = files_below(path);
    if (files.empty()) {
        throw FormatError(
            fmt::format("{}: the folder holds no .txt and no .jsonl file; put calibration texts there or "
                        "name another folder",
                        path.string()));
    }
    std::vector<TextSource> sources;
    for (const auto& file : files) sources.push_back(open_source(file));
    return sources;
}

DocumentSet::DocumentSet(std::vector<TextSource> sources, std::string member, std::size_t piece_bytes)
    : sources_(std::move(sources)), member_(std::move(member)), documents_(sources_.size()) {
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        if (sources_[i].lines)
            add_lines(i);
        else
            add_pieces(i, piece_bytes);
    }
}

void DocumentSet::add_lines(std::size_t source) {
    const std::string_view text = sources_[source].bytes;
    std::int64_t line = 1;
    for (std::size_t first = 0; first < text.size(); ++line) {
        const std::size_t end = std::min(text.find('\n', first), text.size());
        if (text.substr(first, end - first).find_first_not_of(kBlanks) != std::string_view::npos) {
            places_.push_back({source, first, end - first, line});
            ++documents_[source];
        }
        first = end + 1;
    }
}

void DocumentSet::add_pieces(std::size_t source, std::size_t piece_bytes) {
    const std::string_view text = sources_[source].bytes;
    require_utf8(text, sources_[source].name);
    if (!text.empty()) documents_[source] = 1;
    for (std::size_t first = 0; first < text.size();) {
        const std::size_t end = piece_end(text, first, piece_bytes);
        places_.push_back({source, first, end - first});
        first = end;
    }
}

std::string DocumentSet::read(std::size_t index) const {
    const Place& place = places_.at(index);
    const TextSource& source = sources_[place.source];
    const std::string_view text = source.bytes.substr(place.first, place.bytes);
    if (!source.lines) return std::string(text);
    const std::string where = fmt::format("{}, line {}", source.name, place.line);
    const Json object = parse_json(text, where);
    if (!object.is_object()) {
        throw FormatError(
            fmt::format("{} is not a JSON object; each line of a .jsonl file is one, with the text in \"{}\"",
                        where, member_));
    }
    if (!object.contains(member_)) {
        std::string members;
        for (const auto& [name, value] : object.items()) members += (members.empty() ? "" : ", ") + name;
        throw FormatError(fmt::format(
            "{} has no member \"{}\"; it has: {}; name the one with the text by --calibration-field", where,
            member_, members));
    }
    return require_string(object, member_, where);
}

}  // namespace assay
