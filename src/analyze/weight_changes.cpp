#include "analyze/weight_changes.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/rng.h"
#include "quantize/interventions.h"
#include "quantize/rtn.h"

namespace assay {
namespace {

Matrix<float> copy_of(MatrixView<const float> w) {
    Matrix<float> copy(w.rows(), w.cols());
    for (std::int64_t r = 0; r < w.rows(); ++r)
        std::copy(w.row(r).begin(), w.row(r).end(), copy.row(r).begin());
    return copy;
}

using AddNoise = void (*)(MatrixView<float>, MatrixView<const float>, std::uint64_t);

WeightChange noise_instead(WeightChange change, std::uint64_t seed, AddNoise add) {
    return [change = std::move(change), seed, add](MatrixView<float> w, ThreadPool& pool) {
        Matrix<float> changed = copy_of(w);
        change(changed.view(), pool);
        add(w, changed.view(), seed);
    };
}

}  // namespace

std::string_view name_of(Cause cause) {
    switch (cause) {
        case Cause::kSalientChannels:
            return "salient_channels";
        case Cause::kWeightOutliers:
            return "weight_outliers";
        case Cause::kVaryingRange:
            return "varying_range";
        case Cause::kWastedRange:
            return "wasted_range";
    }
    throw InvalidArgument("a cause without a name");
}

WeightChange rounding(const NumberFormat& format) {
    return [format](MatrixView<float> w, ThreadPool& pool) { rtn(w, format, w, pool); };
}

WeightChange but_columns(WeightChange change, std::vector<std::int64_t> columns) {
    return [change = std::move(change), columns = std::move(columns)](MatrixView<float> w, ThreadPool& pool) {
        change_but_columns(w, columns, [&] { change(w, pool); });
    };
}

WeightChange matched_noise(WeightChange change, std::uint64_t seed) {
    return noise_instead(std::move(change), seed, add_matched_noise);
}

WeightChange equal_noise(WeightChange change, std::uint64_t seed) {
    return noise_instead(std::move(change), seed, add_equal_noise);
}

WeightChange on_twin(WeightChange change, std::uint64_t seed) {
    return [change = std::move(change), seed](MatrixView<float> w, ThreadPool& pool) {
        const Matrix<float> twin = gaussian_twin(w, seed);
        Matrix<float> changed = twin;
        change(changed.view(), pool);
        for (std::int64_t r = 0; r < w.rows(); ++r) {
            for (std::int64_t c = 0; c < w.cols(); ++c) w(r, c) += changed.view()(r, c) - twin.view()(r, c);
        }
    };
}

std::optional<WeightChange> intervention(Cause cause, const NumberFormat& format) {
    switch (cause) {
        case Cause::kSalientChannels:
            break;
        case Cause::kWeightOutliers:
            return [format](MatrixView<float> w, ThreadPool& pool) {
                round_but_largest(w, format, kOutlierShare, pool);
            };
        case Cause::kVaryingRange:
            if (const auto small = with_groups(format, kSmallGroup)) return rounding(*small);
            return std::nullopt;
        case Cause::kWastedRange:
            return [format](MatrixView<float> w, ThreadPool& pool) { round_clipped(w, format, pool); };
    }
    throw InvalidArgument("intervention: " + std::string(name_of(cause)) + " does not lie in the weights");
}

std::vector<std::int64_t> random_columns(std::int64_t n, std::int64_t count, std::uint64_t seed) {
    Rng rng(seed);
    std::vector<std::int64_t> all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), std::int64_t{0});
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
        std::swap(all[i], all[i + rng.below(all.size() - i)]);
    all.resize(static_cast<std::size_t>(count));
    std::sort(all.begin(), all.end());
    return all;
}

double squared_change(MatrixView<const float> w, const WeightChange& change, ThreadPool& pool) {
    Matrix<float> changed = copy_of(w);
    change(changed.view(), pool);
    double sum = 0;
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::int64_t c = 0; c < w.cols(); ++c) {
            const double e = static_cast<double>(changed.view()(r, c)) - static_cast<double>(w(r, c));
            sum += e * e;
        }
    }
    return sum;
}

}  // namespace assay
