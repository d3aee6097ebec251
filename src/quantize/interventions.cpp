#include "quantize/interventions.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "quantize/rtn.h"

namespace assay {
namespace {

// A weight that is kept.
struct Kept {
    std::int64_t row = 0, column = 0;
    float value = 0;
};

void change_but(MatrixView<float> w, const std::vector<Kept>& kept, const std::function<void()>& change) {
    for (const Kept& k : kept) w(k.row, k.column) = 0;
    change();
    for (const Kept& k : kept) w(k.row, k.column) = k.value;
}

Matrix<float> copy_of(MatrixView<const float> w) {
    Matrix<float> copy(w.rows(), w.cols());
    for (std::int64_t r = 0; r < w.rows(); ++r)
        std::copy(w.row(r).begin(), w.row(r).end(), copy.row(r).begin());
    return copy;
}

// Two independent standard normal numbers. Source: Box & Muller 1958.
struct NormalPair {
    explicit NormalPair(Rng& rng) {
        const double radius = std::sqrt(-2 * std::log(1 - rng.uniform()));
        const double angle = 2 * std::numbers::pi * rng.uniform();
        first = radius * std::cos(angle);
        second = radius * std::sin(angle);
    }
    double first, second;
};

double norm(std::span<const float> values) {
    double sum = 0;
    for (float v : values) sum += static_cast<double>(v) * static_cast<double>(v);
    return std::sqrt(sum);
}

std::optional<NumberFormat> with_tile(const auto& format, std::int64_t columns) {
    const bool wide = format.tile.columns == 0 || format.tile.columns > columns;
    if (!wide && format.tile.rows == 1) return std::nullopt;
    auto out = format;
    out.tile = group_tile(columns);
    return out;
}

}  // namespace

std::int64_t count_of_share(std::int64_t n, double share) {
    if (!(share >= 0 && share <= 1)) throw InvalidArgument("a share lies between 0 and 1");
    return std::min(n, static_cast<std::int64_t>(std::ceil(share * static_cast<double>(n))));
}

void round_but_largest(MatrixView<float> w, const NumberFormat& format, double share, ThreadPool& pool) {
    const std::int64_t count = count_of_share(w.rows() * w.cols(), share);
    if (count == 0) return rtn(w, format, w, pool);
    std::vector<float> sizes;
    sizes.reserve(static_cast<std::size_t>(w.rows() * w.cols()));
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (const float v : w.row(r)) sizes.push_back(std::abs(v));
    }
    std::nth_element(sizes.begin(), sizes.begin() + (count - 1), sizes.end(), std::greater<>());
    const float least = sizes[static_cast<std::size_t>(count - 1)];
    // Of those as large as the least one kept, the first, as many as are left.
    std::int64_t equal =
        count - std::count_if(sizes.begin(), sizes.begin() + count, [&](float size) { return size > least; });
    std::vector<Kept> kept;
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::int64_t c = 0; c < w.cols(); ++c) {
            const float size = std::abs(w(r, c));
            if (size > least || (size == least && equal-- > 0)) kept.push_back({r, c, w(r, c)});
        }
    }
    change_but(w, kept, [&] { rtn(w, format, w, pool); });
}

void change_but_columns(MatrixView<float> w, std::span<const std::int64_t> columns,
                        const std::function<void()>& change) {
    std::vector<Kept> kept;
    for (std::int64_t c : columns) {
        if (c < 0 || c >= w.cols())
            throw InvalidArgument("change_but_columns: there is no column " + std::to_string(c));
        for (std::int64_t r = 0; r < w.rows(); ++r) kept.push_back({r, c, w(r, c)});
    }
    change_but(w, kept, change);
}

std::optional<NumberFormat> with_groups(const NumberFormat& format, std::int64_t columns) {
    if (const auto* integers = std::get_if<IntFormat>(&format)) return with_tile(*integers, columns);
    if (const auto* floats = std::get_if<Fp8Format>(&format)) return with_tile(*floats, columns);
    return std::nullopt;
}

Matrix<float> gaussian_twin(MatrixView<const float> w, std::uint64_t seed) {
    Matrix<float> twin(w.rows(), w.cols());
    std::vector<double> numbers;
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        Rng rng(seed, static_cast<std::uint64_t>(r));
        numbers.clear();
        double squares = 0;
        while (static_cast<std::int64_t>(numbers.size()) < w.cols()) {
            const NormalPair pair(rng);
            numbers.insert(numbers.end(), {pair.first, pair.second});
        }
        numbers.resize(static_cast<std::size_t>(w.cols()));
        for (double z : numbers) squares += z * z;
        const double factor = squares > 0 ? norm(w.row(r)) / std::sqrt(squares) : 0;
        std::transform(numbers.begin(), numbers.end(), twin.row(r).begin(),
                       [&](double z) { return static_cast<float>(factor * z); });
    }
    return twin;
}

void add_matched_noise(MatrixView<float> w, MatrixView<const float> changed, std::uint64_t seed) {
    if (w.rows() != changed.rows() || w.cols() != changed.cols())
        throw InvalidArgument("add_matched_noise: both matrices must have one shape");
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        Rng signs(seed, static_cast<std::uint64_t>(r));
        for (std::int64_t first = 0; first < w.cols(); first += kNoiseRun) {
            const std::int64_t end = std::min(first + kNoiseRun, w.cols());
            double squares = 0, count = 0;
            for (std::int64_t c = first; c < end; ++c) {
                const double e = static_cast<double>(changed(r, c)) - static_cast<double>(w(r, c));
                squares += e * e;
                count += e != 0 ? 1 : 0;
            }
            const auto size = static_cast<float>(count > 0 ? std::sqrt(squares / count) : 0);
            std::uint64_t bits = signs.next();
            for (std::int64_t c = first; c < end; ++c, bits >>= 1) {
                if (changed(r, c) != w(r, c)) w(r, c) += (bits & 1) != 0 ? size : -size;
            }
        }
    }
}

void add_equal_noise(MatrixView<float> w, MatrixView<const float> rounded, std::uint64_t seed) {
    if (w.rows() != rounded.rows() || w.cols() != rounded.cols())
        throw InvalidArgument("add_equal_noise: both matrices must have one shape");
    Matrix<float> change = copy_of(rounded);
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::int64_t c = 0; c < w.cols(); ++c) change.view()(r, c) -= w(r, c);
    }
    const Matrix<float> noise = gaussian_twin(change.view(), seed);
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::int64_t c = 0; c < w.cols(); ++c) w(r, c) += noise.view()(r, c);
    }
}

}  // namespace assay
