#include "quantize/coded_weight.h"

#include <utility>

#include "base/error.h"
#include "number/intk.h"
#include "tensor/float8.h"

namespace assay {
namespace {

// One scale for each of `rows` rows, from those of a layout with one a row or one for all.
std::vector<float> scales_of_rows(const Matrix<float>& scales, std::int64_t rows) {
    std::vector<float> out;
    for (std::int64_t r = 0; r < rows; ++r) out.push_back(scales.view()(scales.rows() == 1 ? 0 : r, 0));
    return out;
}

// value(code) of every code.
template <class Value>
CodedWeight decoded(const Matrix<std::uint8_t>& codes, const Matrix<float>& scales, const Value& value) {
    CodedWeight out{Matrix<float>(codes.rows(), codes.cols()), scales_of_rows(scales, codes.rows())};
    for (std::size_t i = 0; i < codes.values().size(); ++i) out.codes.values()[i] = value(codes.values()[i]);
    return out;
}

void expect_one_scale_a_row(const GroupLayout& layout, const NumberFormat& format) {
    if (layout.per_row > 1 || (layout.rows > 1 && layout.height > 1))
        throw InvalidArgument(to_string(format) + " has no single scale a row");
}

}  // namespace

CodedWeight code_rows(MatrixView<const float> w, const NumberFormat& format, ThreadPool& pool) {
    if (const auto* ints = std::get_if<IntFormat>(&format); ints != nullptr && ints->symmetric) {
        expect_one_scale_a_row(group_layout(*ints, w.rows(), w.cols()), format);
        const IntEncoding e = encode_int(w, *ints, pool);
        const int middle = 1 << (ints->bits - 1);
        return decoded(e.codes, e.scales, [&](int code) { return static_cast<float>(code - middle); });
    }
    if (const auto* fp8 = std::get_if<Fp8Format>(&format); fp8 != nullptr) {
        expect_one_scale_a_row(group_layout(*fp8, w.rows(), w.cols()), format);
        const FloatEncoding e = encode_fp8(w, *fp8, pool);
        const auto value = fp8->element == FloatElement::kE4m3 ? f8e4m3_to_f32 : f8e5m2_to_f32;
        return decoded(e.codes, e.scales, value);
    }
    throw InvalidArgument(to_string(format) + " has no codes for products of 8-bit numbers");
}

}  // namespace assay
