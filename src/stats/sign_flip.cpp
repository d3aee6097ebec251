#include "stats/sign_flip.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace assay {
namespace {

// Σ ±d, the sign of the i-th by bit i of `signs`.
double flipped_sum(std::span<const double> differences, std::uint64_t signs) {
    double sum = 0;
    for (const double d : differences) {
        sum += (signs & 1) != 0 ? -d : d;
        signs >>= 1;
    }
    return sum;
}

double random_flipped_sum(std::span<const double> differences, Rng& rng) {
    double sum = 0;
    for (std::size_t first = 0; first < differences.size(); first += 64) {
        const std::size_t count = std::min<std::size_t>(64, differences.size() - first);
        sum += flipped_sum(differences.subspan(first, count), rng.next());
    }
    return sum;
}

}  // namespace

double sign_flip_test(std::span<const double> differences, const SignFlipOptions& options) {
    if (options.draws < 1) throw InvalidArgument("sign_flip_test: at least one draw is needed");
    double sum = 0, size = 0;
    for (const double d : differences) {
        if (!std::isfinite(d)) throw NumericError("sign_flip_test: a difference is NaN or infinite");
        sum += d;
        size += std::abs(d);
    }
    // Rounding errors of a sum of n numbers are below n 2^-53 of the sum of their sizes.
    const double least = sum - size * 0x1p-52 * static_cast<double>(differences.size());
    if (differences.size() <= kExactBlocks) {
        const std::uint64_t flips = std::uint64_t{1} << differences.size();
        int as_large = 0;
        for (std::uint64_t signs = 0; signs < flips; ++signs)
            as_large += flipped_sum(differences, signs) >= least;
        return as_large / static_cast<double>(flips);
    }
    Rng rng(options.seed);
    int as_large = 0;
    for (int draw = 0; draw < options.draws; ++draw)
        as_large += random_flipped_sum(differences, rng) >= least;
    return (1.0 + as_large) / (1.0 + options.draws);
}

}  // namespace assay
