// The JSON document of one run: what every verb's --json prints and every report is made from.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "container/json.h"
#include "records/activations.h"
#include "records/blame.h"
#include "records/calibration.h"
#include "records/compare.h"
#include "records/compare_calibration.h"
#include "records/diagnose.h"
#include "records/eval.h"
#include "records/inspect.h"
#include "records/perplexity.h"
#include "records/predict.h"
#include "records/sensitivity.h"
#include "records/weights.h"

namespace assay {

inline constexpr int kResultsSchema = 1;

struct InputFile {
    std::string path;
    std::string sha256;  // lower-case hex

    bool operator==(const InputFile&) const = default;
};

using Result = std::variant<InspectResult, WeightsResult, PerplexityResult, SensitivityResult, DiagnoseResult,
                            PredictResult, BlameResult, EvalResult, ActivationsResult, CompareResult,
                            CompareCalibrationResult>;

// The verb whose result this is: "inspect", "weights", …
std::string_view command_of(const Result& result);

// One part of a verb's work.
struct PartCost {
    std::string name;
    double seconds = 0;

    bool operator==(const PartCost&) const = default;
};

// What a run took, beside what was predicted; none where nothing ran through the blocks.
struct RunCost {
    double predicted_seconds = 0;
    double predicted_bytes = 0;                  // most resident memory
    double peak_bytes = 0;                       // measured
    std::int64_t blocks = 0;                     // run, those of all passes
    double seconds_per_block = 0;                // disk, load and compute together
    double disk_share = 0;                       // of those seconds: waiting for the disk
    double load_share = 0;                       // converting, treating and packing weights
    std::optional<std::vector<PartCost>> parts;  // of diagnose, one after the other

    bool operator==(const RunCost&) const = default;
};

// Mean KL between two ways to compute the same model, nats per token: damage below it is rounding.
struct NoiseFloor {
    double kl = 0;
    std::string backend;  // the one that measured
    std::string against;

    bool operator==(const NoiseFloor&) const = default;
};

struct Envelope {
    std::string version = ASSAY_VERSION;  // of the program that measured; JSON: "assay"
    Json settings = Json::object();       // the options in force, by name
    std::vector<InputFile> inputs;
    double seconds = 0;
    std::optional<RunCost> cost;
    std::optional<NoiseFloor> noise_floor;
    std::optional<CalibrationRecord> calibration;  // where a calibration set was used
    Result result;

    bool operator==(const Envelope&) const = default;
};

// The document as text, one field a line, ending in a newline. Numbers print so that they read back to the
// same bits; NaN and infinities become null, bytes that are not UTF-8 become U+FFFD.
std::string results_text(const Envelope& envelope);

// Reads what results_text() wrote; fields it does not know are ignored, null reads as NaN where a number is
// always due. `what` names the text in errors. Throws FormatError for bad JSON, another schema number, an
// unknown command, or a field that is missing or of another type.
Envelope parse_results(std::string_view text, std::string_view what);

}  // namespace assay
