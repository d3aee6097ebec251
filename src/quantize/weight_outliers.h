// Weights far from the mean: how many, how large, in which rows and columns, and what they cost a uniform
// grid.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "quantize/weight_moments.h"

namespace assay {

// The floats x with |x - mean| <= k·std, both taken in double, are those in [low, high].
struct SigmaBand {
    float low = 0;
    float high = 0;
};

// Throws InvalidArgument unless k is positive.
SigmaBand sigma_band(const WeightMoments& of, double k);

// The outliers of one row or column.
struct OutlierPart {
    std::int64_t index = 0;
    std::int64_t count = 0;  // beyond 3 std
    float max_abs = 0;       // of the outliers
    double energy = 0;       // Σ (w - mean)² of the outliers
};

inline constexpr std::array<double, 3> kOutlierSigmas = {3, 4, 6};
inline constexpr std::size_t kWorstParts = 5;

struct WeightOutliers {
    std::array<std::int64_t, 3> counts{};  // #{|w - mean| > k·std} for each k of kOutlierSigmas
    float magnitude = 0;                   // max |w| of those beyond 3 std; 0 where there are none
    double range = 0;                      // max - min
    // (max - min) of the weights that are no outliers, beyond 3 and beyond 4 std.
    double range_without_3s = 0;
    double range_without_4s = 0;
    double energy = 0;              // Σ (w - mean)² of those beyond 3 std
    std::vector<OutlierPart> rows;  // those with the largest energy, largest first: at most kWorstParts
    std::vector<OutlierPart> columns;
};

// range / range_without >= 1: 1 where there are no outliers. None for a constant, whose range cannot be
// wasted, and where all that are no outliers are equal: then the ratio is infinite.
std::optional<double> range_ratio(double range, double range_without);

// The share of a uniform grid's codes that only outliers use, 1 - 1/ratio; 1 where the ratio is infinite,
// none for a constant.
std::optional<double> quantization_waste(double range, double range_without);

// The second look at a matrix, when its moments are known.
class OutlierSums {
  public:
    OutlierSums(const WeightMoments& of, std::int64_t cols);

    void add(const RowPanel& panel);
    void merge(OutlierSums&& other);
    WeightOutliers outliers() const;

  private:
    struct Inside {
        float low = compute::kLargestFloat, high = -compute::kLargestFloat;
        void add(float low_too, float high_too);
    };

    void add_outlier(std::int64_t column, float w);
    std::vector<OutlierPart> column_parts() const;

    WeightMoments of_;
    std::array<SigmaBand, 3> bands_;
    std::array<std::int64_t, 3> counts_{};
    float magnitude_ = 0;
    Inside inside_3s_, inside_4s_;   // of the latter only those beyond 3 std
    std::vector<OutlierPart> rows_;  // those with outliers
    struct Columns {                 // all; empty until the first outlier
        std::vector<std::int64_t> counts;
        std::vector<float> max_abs;
        std::vector<double> energies;
    } columns_;
    std::int64_t cols_ = 0;
    std::vector<std::int32_t> found_;  // scratch
};

}  // namespace assay
