// Weights far from the mean: how many, how large, in which rows and columns, and what they cost a uniform
// grid.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
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

// A weight of a row.
struct PlacedWeight {
    std::int32_t column = 0;
    float w = 0;
};

// The second look at a matrix, when its moments are known.
class OutlierSums {
  public:
    OutlierSums(const WeightMoments& of, std::int64_t cols);

    void add(const RowPanel& panel);
    // Some of a row's weights, in their order.
    void add_row(std::int64_t row, std::span<const PlacedWeight> weights);
    // low and high of all others, which are no outliers.
    void add_inside(float low, float high) { inside_3s_.add(low, high); }
    void merge(OutlierSums&& other);
    WeightOutliers outliers() const;

  private:
    struct Inside {
        float low = compute::kLargestFloat, high = -compute::kLargestFloat;
        void add(float low_too, float high_too);
    };

    std::vector<OutlierPart> column_parts() const;

    WeightMoments of_;
    std::array<SigmaBand, 3> bands_;
    std::array<std::int64_t, 3> counts_{};
    float magnitude_ = 0;
    Inside inside_3s_, inside_4s_;   // of the latter only those beyond 3 std
    std::vector<OutlierPart> rows_;  // those with outliers
    struct Columns {                 // all; empty until the first weight
        std::vector<std::int64_t> counts;
        std::vector<float> max_abs;
        std::vector<double> energies;
    } columns_;
    std::int64_t cols_ = 0;
    std::vector<std::int32_t> found_;  // scratch, as the next
    std::vector<PlacedWeight> placed_;
};

// mean ± kLikelySigmas std of a few rows, from all parts of the matrix: most likely inside the band of 3 std.
inline constexpr double kLikelySigmas = 2.8;
SigmaBand likely_inside(const RowSource& w);

// What makes the second look needless: the first one keeps all weights that lie outside of a band that is
// likely to lie inside the band of 3 std.
class OutlierCandidates {
  public:
    // Shape: of a matrix with `cols` columns.
    OutlierCandidates(const SigmaBand& band, std::int64_t cols) : band_(band), cols_(cols) {}

    void add(const RowPanel& panel);
    void merge(OutlierCandidates&& other);
    // What OutlierSums tells of the matrix, bit for bit; none where the band was no guess that serves, or
    // where there were too many weights outside of it to keep.
    std::optional<WeightOutliers> outliers(const WeightMoments& of, ThreadPool& pool) const;

  private:
    static constexpr std::size_t kMost = 1 << 16;  // of a share: 32 MiB of a matrix

    struct Row {
        std::int64_t index = 0;
        std::size_t end = 0;  // its weights lie before it, and behind those of the row before
    };
    struct Share {
        std::vector<Row> rows;
        std::vector<PlacedWeight> weights;
        float low = compute::kLargestFloat, high = -compute::kLargestFloat;  // of all others
    };

    SigmaBand band_;
    std::int64_t cols_;
    bool too_many_ = false;
    std::vector<Share> shares_;
    std::vector<std::int32_t> found_;  // scratch
};

}  // namespace assay
