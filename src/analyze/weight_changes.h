// Changes of a linear's weight that findings compare: roundings without one cause of damage, noise in place
// of their errors, and the same on twins.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/parallel.h"
#include "number/number_format.h"
#include "tensor/matrix.h"

namespace assay {

inline constexpr double kOutlierShare = 0.005;  // of weights, by |w|
inline constexpr double kSalientShare = 0.01;   // of input channels, by energy
inline constexpr std::int64_t kSmallGroup = 32;

// Causes that an intervention can take away. All but the first lie in the weights themselves.
enum class Cause { kSalientChannels, kWeightOutliers, kVaryingRange, kWastedRange };
inline constexpr Cause kCauses[] = {Cause::kSalientChannels, Cause::kWeightOutliers, Cause::kVaryingRange,
                                    Cause::kWastedRange};

// As findings name it: "salient_channels".
std::string_view name_of(Cause cause);

// Changes a weight [out, in] in place.
using WeightChange = std::function<void(MatrixView<float>, ThreadPool&)>;

WeightChange rounding(const NumberFormat& format);

// The change with these columns as they are, and as zeros while it is made (change_but_columns()).
WeightChange but_columns(WeightChange change, std::vector<std::int64_t> columns);

// W + noise of the change's local sizes (add_matched_noise()): without the luck of its errors.
WeightChange matched_noise(WeightChange change, std::uint64_t seed);

// W + noise of the change's size in each row (add_equal_noise()).
WeightChange equal_noise(WeightChange change, std::uint64_t seed);

// W + (change(T) - T), T the Gaussian twin of W.
WeightChange on_twin(WeightChange change, std::uint64_t seed);

// What takes a cause of the weights away: the largest kOutlierShare of them kept, groups of kSmallGroup,
// clipped ranges. None where the format does not allow it.
std::optional<WeightChange> intervention(Cause cause, const NumberFormat& format);

// `count` different ones of [0, n), each choice as likely; n >= count.
std::vector<std::int64_t> random_columns(std::int64_t n, std::int64_t count, std::uint64_t seed);

// Σ (w - change(w))².
double squared_change(MatrixView<const float> w, const WeightChange& change, ThreadPool& pool);

}  // namespace assay
