// What a calibrated treatment did to a linear.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// An input that is rounded, too, beside what smoothing made of it. Errors are ‖Y' - Y‖ / ‖Y‖ of the linear's
// output on held-out calibration windows.
struct RoundedInputRecord {
    double max_over_mean = 0;     // of its channels' largest magnitudes
    double output_error = 0;      // rounded as it is
    std::optional<double> alpha;  // of the smoothing; none: not smoothed, as the next
    std::optional<double> smoothed_max_over_mean;
    std::optional<double> smoothed_output_error;
    std::optional<double> scale;          // of all positions; none: each has its own
    std::optional<std::string> obstacle;  // why smoothing left it as it is

    bool operator==(const RoundedInputRecord&) const = default;
};

struct CalibratedLinear {
    std::string name;
    std::string treatment;
    std::int64_t positions = 0;       // of the calibration windows that its statistics are of
    double damping = 0;               // added to the statistics' diagonal, as a share of its mean
    std::int64_t damping_raised = 0;  // how often it had to be, from the treatment's own
    std::int64_t dead_columns = 0;    // input channels that were 0 at all positions
    // Output error Σ_t ‖E x_t‖² with the damping, as a share of that of round to nearest; none where that is
    // 0 or there are no statistics.
    std::optional<double> error_ratio;
    std::optional<std::string> fallback;        // why it was rounded to nearest instead
    std::optional<RoundedInputRecord> input{};  // where activations are quantized
    // Of methods that scale inputs: the chosen α (quantize/awq.h), or why the input was not scaled.
    std::optional<double> alpha{};
    std::optional<std::string> unscaled{};

    bool operator==(const CalibratedLinear&) const = default;
};

// As a JSON array, and back. Throws FormatError for any other text; `what` names it.
std::string calibration_text(const std::vector<CalibratedLinear>& linears);
std::vector<CalibratedLinear> parse_calibration(std::string_view text, const std::string& what);

}  // namespace assay
