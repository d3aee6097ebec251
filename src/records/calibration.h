// Where calibration windows come from, and what may be wrong with them: part of the results of every verb
// that uses such windows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace assay {

struct CalibrationSource {
    std::string name;    // a file's path, or "built-in: c4"
    std::string sha256;  // of its bytes, lower-case hex
    std::int64_t bytes = 0;
    std::int64_t documents = 0;

    bool operator==(const CalibrationSource&) const = default;
};

struct CalibrationWarningRecord {
    std::string kind;  // text/calibration_checks.h lists them
    std::string text;

    bool operator==(const CalibrationWarningRecord&) const = default;
};

struct CalibrationRecord {
    std::string set;  // as asked for
    std::vector<CalibrationSource> sources;
    std::int64_t seed = 0;
    std::int64_t samples = 0;  // windows, and how many were asked for
    std::int64_t samples_asked = 0;
    std::int64_t length = 0;  // tokens of each, and as asked for: the model's context may be shorter
    std::int64_t length_asked = 0;
    std::string windows_sha256;
    bool bos_per_window = false;
    std::int64_t documents_read = 0;
    std::int64_t repeated_documents = 0;
    std::int64_t joined_windows = 0;
    double repeated_share = 0;  // of 8-token runs, those that their window had before
    double overlap_share = 0;   // of 16-token runs, those that the evaluation text has
    std::vector<CalibrationWarningRecord> warnings;

    bool operator==(const CalibrationRecord&) const = default;
};

}  // namespace assay
