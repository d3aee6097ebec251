// Kernels that look at rows of weights in host memory: sums, ranges, rounding errors. One table per
// instruction set, and the same bits from each: sums run over 16 lanes in one order, and a·b + c is rounded
// once.
#pragma once

#include <cstdint>

namespace assay::compute {

inline constexpr float kLargestFloat = 3.4028234663852886e38f;

// Over some weights w of a matrix: Σ (w - shift)^p for p = 1 to 4, the smallest and the largest.
struct PowerRow {
    double sums[4] = {};
    float low = kLargestFloat;
    float high = -kLargestFloat;
};

enum class ScaleRounding : std::uint8_t { kF16, kBf16, kNone };

// How a grid is made for weights from `low` to `high`: number/int_grid.h.
struct GridRule {
    float top = 15;    // highest code
    float steps = 15;  // the range's length in steps: top, or of a symmetric grid (top - 1) / 2
    bool symmetric = false;
    ScaleRounding rounding = ScaleRounding::kF16;
    float smallest = 0;  // positive scale
};

// The grids of many groups, one entry each. A weight w is rounded to clamp(round(w · inverse), least, most) ·
// scale, least <= 0 <= most: to a code, and no further from 0 than low and high are, so that weights outside
// of the range are rounded as if they had been clipped to it.
struct Grids {
    float* scale = nullptr;
    float* inverse = nullptr;
    float* least = nullptr;
    float* most = nullptr;
    std::uint16_t* clamps = nullptr;  // a bit a group, lowest first: not all weights in its range have codes
};

inline constexpr int kLanes = 16;
inline constexpr int kGridsAtOnce = 3;
inline constexpr std::int64_t kRowUnit = 32;  // weights

// Several grids for each group of one row: unit u of kRowUnit weights lies in the group first + (u >> shift).
struct GridRow {
    Grids grids[kGridsAtOnce];
    const std::uint16_t* clamps = nullptr;  // of any of the grids
    std::int64_t first = 0;
    int shift = 0;
};

// Clips of groups to [low, high], low <= 0 <= high, before they are rounded, one entry each.
struct Clips {
    Grids grids;
    const float* low = nullptr;
    const float* high = nullptr;
};

// Several clips of the same groups, whose weights lie in [low, high].
inline constexpr int kClipsAtOnce = 5;
struct ClipSet {
    Clips clips[kClipsAtOnce];
    int count = 0;
    const float* low = nullptr;
    const float* high = nullptr;
};

// c = clamp(w, low, high), q the rounded c.
struct ClipRow {
    double clip = 0;           // Σ (w - c)²
    double rounding = 0;       // Σ (c - q)²
    double total = 0;          // Σ (w - q)²
    std::int64_t clipped = 0;  // weights with c != w
};

// E = w - rounded.
struct ErrorRow {
    double squares = 0;  // Σ E²
    double sizes = 0;    // Σ |E|
    float largest = 0;   // max |E|
};

// Weights outside of a band; low and high of those inside.
struct OutsideRow {
    std::int64_t count = 0;
    float low = kLargestFloat;
    float high = -kLargestFloat;
};

struct WeightKernels {
    const char* name;
    // Adds n weights.
    void (*powers)(const float* w, std::int64_t n, double shift, PowerRow* row);
    // The smallest and the largest of each `width` weights of n; the last group may hold fewer.
    void (*ranges)(const float* w, std::int64_t n, std::int64_t width, float* low, float* high);
    // Whether exactly one of n weights is below `low`, or exactly one above `high`; `together`: exactly one
    // is either of them. It looks no further than it must.
    bool (*one_beyond)(const float* w, std::int64_t n, float low, float high, bool together);
    // Makes the grids of n groups, a multiple of kLanes. Returns false where a scale overflowed: then the
    // grids are of no use. A group of zeros gets zeros.
    bool (*make_grids)(const GridRule* rule, const float* low, const float* high, std::int64_t n,
                       const Grids* out);
    // Adds Σ (w - rounded)² of each of the grids over `units` whole units of a row.
    void (*grid_errors)(const float* w, std::int64_t units, const GridRow* row, double* sums);
    // Adds n weights, each `width` of them in the next of `grids`, from the first on; the last may have
    // fewer.
    void (*row_errors)(const float* w, std::int64_t n, std::int64_t width, const Grids* grids,
                       std::int64_t first, ErrorRow* row);
    // errors[c] = Σ m (w - rounded)² of n weights in the grid c of kLanes candidates; m of each weight's
    // column, 1 where `column_weights` is null.
    void (*candidate_errors)(const float* w, const float* column_weights, std::int64_t n,
                             const Grids* candidates, double* errors);
    // Adds n weights, each `width` of them in the set's next group, from the first on; the last may have
    // fewer. rows: one for each of the set's clips.
    void (*clip_errors)(const float* w, std::int64_t n, std::int64_t width, const ClipSet* set,
                        std::int64_t first, ClipRow* rows);
    // Writes the columns of those of n weights that are not in [low, high] to `columns`, which has room for
    // n + kLanes, and adds the rest to the row.
    void (*outside)(const float* w, std::int64_t n, float low, float high, std::int32_t* columns,
                    OutsideRow* row);
};

extern const WeightKernels kAvx2WeightKernels;
extern const WeightKernels kAvx512WeightKernels;

// The fastest that the processor can run.
const WeightKernels& weight_kernels();

}  // namespace assay::compute
