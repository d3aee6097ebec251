// Finished parts of a long measurement, kept in files: what an interrupted run left, the same command takes
// up again.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace assay {

// A part is a list of numbers under a name. Files are written whole or not at all; one that is damaged, or of
// another part, is as good as missing.
class PartCache {
  public:
    // `run` names everything that the numbers depend on: a run with another text shares nothing with this
    // one.
    PartCache(const std::filesystem::path& folder, const std::string& run);

    std::optional<std::vector<double>> find(const std::string& part) const;

    // Best effort: where the folder cannot be written, nothing is kept.
    void keep(const std::string& part, std::span<const double> numbers) const;

    // The run has ended: its parts are not needed any more.
    void remove() const;

    // A name for the next computation of a kind, the same in every run of the same command: "sweep-2".
    std::string next(const std::string& kind);

  private:
    std::filesystem::path file_of(const std::string& part) const;

    std::filesystem::path folder_;  // of this run
    std::vector<std::string> kinds_;
};

// Numbers written one after another and read back in the same order; exact for integers below 2^53.
class NumberReader {
  public:
    explicit NumberReader(std::span<const double> numbers) : numbers_(numbers) {}

    // Throws FormatError past the end.
    double next();
    std::int64_t next_count();
    std::vector<double> next_list();  // its length first
    bool at_end() const { return numbers_.empty(); }

  private:
    std::span<const double> numbers_;
};

// Appends a list in the form that NumberReader::next_list() reads.
void append_list(std::span<const double> list, std::vector<double>& numbers);

}  // namespace assay
