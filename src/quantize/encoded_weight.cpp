#include "quantize/encoded_weight.h"

#include <algorithm>

#include "base/error.h"
#include "number/int_grid.h"

namespace assay {
namespace {

void check_groups(const EncodedWeight& weight, MatrixView<float> out) {
    const GroupLayout layout = group_layout(weight.format, out.rows(), out.cols());
    const bool fits =
        std::ssize(weight.column_groups) == out.cols() && weight.encoding.codes.rows() == out.rows() &&
        weight.encoding.codes.cols() == out.cols() && weight.encoding.scales.rows() == layout.rows &&
        weight.encoding.scales.cols() == layout.per_row && layout.height <= 1 &&
        std::all_of(weight.column_groups.begin(), weight.column_groups.end(),
                    [&](std::int32_t g) { return g >= 0 && g < layout.per_row; });
    if (!fits)
        throw InvalidArgument("decode: the groups of the columns do not fit " + to_string(weight.format));
}

void decode_reordered(const EncodedWeight& weight, MatrixView<float> out, ThreadPool& pool) {
    check_groups(weight, out);
    const IntEncoding& encoding = weight.encoding;
    const auto middle = static_cast<float>(1 << (weight.format.bits - 1));
    parallel_for(pool, out.rows(), 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) {
            for (std::int64_t c = 0; c < out.cols(); ++c) {
                const std::int64_t g = weight.column_groups[static_cast<std::size_t>(c)];
                const IntGrid grid{.scale = encoding.scales.view()(r, g),
                                   .zero = weight.format.symmetric
                                               ? middle
                                               : static_cast<float>(encoding.zeros.view()(r, g))};
                out(r, c) = grid.value(static_cast<float>(encoding.codes.view()(r, c)));
            }
        }
    });
}

}  // namespace

void decode(const EncodedWeight& weight, MatrixView<float> out, ThreadPool& pool) {
    if (!weight.column_scales.empty() && std::ssize(weight.column_scales) != out.cols())
        throw InvalidArgument("decode: a column scale is expected for each column, or none at all");
    if (weight.column_groups.empty())
        decode_int(weight.encoding, weight.format, out, pool);
    else
        decode_reordered(weight, out, pool);
    if (weight.column_scales.empty()) return;
    parallel_for(pool, out.rows(), 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) {
            for (std::int64_t c = 0; c < out.cols(); ++c)
                out(r, c) /= weight.column_scales[static_cast<std::size_t>(c)];
        }
    });
}

}  // namespace assay
