// Matrices and calls shared by the tests of small-float formats.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <type_traits>
#include <variant>

#include "base/error.h"
#include "base/rng.h"
#include "number/number_format.h"

namespace assay {

inline Matrix<float> random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
    Matrix<float> m(rows, cols);
    Rng rng(seed);
    for (float& v : m.values()) v = static_cast<float>(rng.uniform() + rng.uniform() + rng.uniform() - 1.5);
    return m;
}

inline Matrix<float> row_matrix(std::initializer_list<float> values) {
    Matrix<float> m(1, static_cast<std::int64_t>(values.size()));
    std::copy(values.begin(), values.end(), m.values().begin());
    return m;
}

inline FloatEncoding encode(MatrixView<const float> w, const Fp8Format& format, ThreadPool& pool) {
    return encode_fp8(w, format, pool);
}
inline FloatEncoding encode(MatrixView<const float> w, const MxFormat& format, ThreadPool& pool) {
    return encode_mx(w, format, pool);
}
inline FloatEncoding encode(MatrixView<const float> w, const Nvfp4Format& format, ThreadPool& pool) {
    return encode_nvfp4(w, format, pool);
}
inline void decode(const FloatEncoding& e, const Fp8Format& format, MatrixView<float> out, ThreadPool& pool) {
    decode_fp8(e, format, out, pool);
}
inline void decode(const FloatEncoding& e, const MxFormat& format, MatrixView<float> out, ThreadPool& pool) {
    decode_mx(e, format, out, pool);
}
inline void decode(const FloatEncoding& e, const Nvfp4Format& format, MatrixView<float> out,
                   ThreadPool& pool) {
    decode_nvfp4(e, format, out, pool);
}

// Calls visit with the family's own type; `text` names a small-float format.
template <class Visit>
void with_float_format(std::string_view text, Visit visit) {
    std::visit(
        [&](const auto& format) {
            if constexpr (std::is_same_v<std::decay_t<decltype(format)>, IntFormat>) {
                throw InvalidArgument("not a small-float format");
            } else {
                visit(format);
            }
        },
        parse_number_format(text));
}

inline FloatEncoding encode(const Matrix<float>& w, std::string_view text, int threads = 1) {
    ThreadPool pool(threads);
    FloatEncoding encoding;
    with_float_format(text, [&](const auto& format) { encoding = encode(w.view(), format, pool); });
    return encoding;
}

// decode(encode(w))
inline Matrix<float> round_trip(const Matrix<float>& w, std::string_view text) {
    ThreadPool pool(1);
    Matrix<float> out(w.rows(), w.cols());
    with_float_format(
        text, [&](const auto& format) { decode(encode(w.view(), format, pool), format, out.view(), pool); });
    return out;
}

}  // namespace assay
