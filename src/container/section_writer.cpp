#include "container/section_writer.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"

namespace assay {

SectionWriter::SectionWriter(const std::filesystem::path& path, std::string_view header,
                             std::vector<Section> sections)
    : what_(path.string()), file_(path), sections_(std::move(sections)) {
    file_.write(header);
    finish_complete_sections();
}

void SectionWriter::write(std::string_view name, std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    if (current_ == sections_.size())
        throw InvalidArgument(fmt::format("{}: {}: all tensors are complete", what_, name));
    const Section& section = sections_[current_];
    if (name != section.name) {
        throw InvalidArgument(fmt::format("{}: {} was given where {} is due", what_, name, section.name));
    }
    if (bytes.size() > section.bytes - written_) {
        throw InvalidArgument(fmt::format("{}: {}: {} bytes given, {} are due", what_, name, bytes.size(),
                                          section.bytes - written_));
    }
    file_.write(bytes);
    written_ += bytes.size();
    finish_complete_sections();
}

void SectionWriter::commit() {
    if (current_ != sections_.size()) {
        throw InvalidArgument(fmt::format("{}: {} bytes of {} are still due", what_,
                                          sections_[current_].bytes - written_, sections_[current_].name));
    }
    file_.commit();
}

void SectionWriter::finish_complete_sections() {
    while (current_ < sections_.size() && written_ == sections_[current_].bytes) {
        file_.write(std::string(sections_[current_].padding, '\0'));
        written_ = 0;
        ++current_;
    }
}

}  // namespace assay
