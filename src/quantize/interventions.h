// Interventions: ways to round a matrix that take one cause of damage away, and twins to compare them with.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/parallel.h"
#include "number/number_format.h"
#include "quantize/clipping.h"  // round_clipped takes away what a wasted range costs
#include "tensor/matrix.h"

namespace assay {

// ⌈share · n⌉ of n, at most n.
std::int64_t count_of_share(std::int64_t n, double share);

// Rounds w to nearest in `format` but for the count_of_share(out·in, share) largest |w|, which stay as they
// are. They are taken out (set to 0) before the rounding, so that they stretch no range. Of equal |w| the
// first ones count as larger.
// Shape: w [out, in]. Throws: as rtn(); InvalidArgument for a share outside [0, 1].
void round_but_largest(MatrixView<float> w, const NumberFormat& format, double share, ThreadPool& pool);

// Calls `change`, which may change w, while these columns, whole input channels, are zeros; then they are put
// back. Throws: as `change`; InvalidArgument for a column that w does not have.
void change_but_columns(MatrixView<float> w, std::span<const std::int64_t> columns,
                        const std::function<void()>& change);

// The format with groups of `columns` weights of a row; none where its scales serve no more than that
// already, or where the family has groups of one size only.
std::optional<NumberFormat> with_groups(const NumberFormat& format, std::int64_t columns);

// Gaussian numbers, each row scaled to the norm of w's row: the healthiest weights of that size.
// The same bits for the same seed.
Matrix<float> gaussian_twin(MatrixView<const float> w, std::uint64_t seed);

// Errors of the same local size with other luck: w += σ ⊙ s, signs s = ±1 by seed, row and column; σ of a
// weight that was changed is the root mean square of the changes other than 0 among the kNoiseRun weights of
// its row that it stands among, of one that was not it is 0. Two changes of a matrix, or changes of two
// matrices, give under one seed the same noise but for the sizes of their errors. Throws: InvalidArgument
// where the shapes differ.
void add_matched_noise(MatrixView<float> w, MatrixView<const float> changed, std::uint64_t seed);

inline constexpr std::int64_t kNoiseRun = 32;

// w += gaussian_twin(rounded - w): a change of the same size in each row that has nothing to do with w.
// Throws: InvalidArgument where the shapes differ.
void add_equal_noise(MatrixView<float> w, MatrixView<const float> rounded, std::uint64_t seed);

}  // namespace assay
