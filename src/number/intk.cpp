#include "number/intk.h"

#include <algorithm>

#include "base/error.h"
#include "number/group_walk.h"
#include "number/int_grid.h"

namespace assay {
namespace {

template <class T>
bool has_shape(const Matrix<T>& m, std::int64_t rows, std::int64_t cols) {
    return m.rows() == rows && m.cols() == cols;
}

void check_shapes(const IntEncoding& encoding, const IntFormat& format, const GroupLayout& layout,
                  MatrixView<float> out) {
    const std::int64_t zero_rows = format.symmetric ? 0 : layout.rows,
                       zero_cols = format.symmetric ? 0 : layout.per_row;
    if (!has_shape(encoding.codes, out.rows(), out.cols()) ||
        !has_shape(encoding.scales, layout.rows, layout.per_row) ||
        !has_shape(encoding.zeros, zero_rows, zero_cols)) {
        throw InvalidArgument("decode_int: the encoding's shapes do not fit " + to_string(format) +
                              " of a matrix [" + std::to_string(out.rows()) + ", " +
                              std::to_string(out.cols()) + "]");
    }
}

}  // namespace

IntEncoding encode_int(MatrixView<const float> w, const IntFormat& format, ThreadPool& pool) {
    const GroupLayout layout = group_layout(format, w.rows(), w.cols());
    IntEncoding encoding{.codes = Matrix<std::uint8_t>(w.rows(), w.cols()),
                         .scales = Matrix<float>(layout.rows, layout.per_row),
                         .zeros = format.symmetric ? Matrix<std::uint8_t>()
                                                   : Matrix<std::uint8_t>(layout.rows, layout.per_row)};
    for_each_group(w, layout, pool, [&](const Group& group) {
        const IntGrid grid = int_grid(format, group.range.low, group.range.high);
        const float* in = &w(group.row, group.first_column);
        std::uint8_t* codes = &encoding.codes.view()(group.row, group.first_column);
        for (std::int64_t i = 0; i < group.columns; ++i) {
            codes[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(grid.code(in[i])));
        }
        if (group.row % layout.height != 0) return;  // the first row of a tile stores its grid
        encoding.scales.view()(group.scale_row, group.scale_column) = grid.scale;
        if (!format.symmetric)
            encoding.zeros.view()(group.scale_row, group.scale_column) = static_cast<std::uint8_t>(grid.zero);
    });
    return encoding;
}

void decode_int(const IntEncoding& encoding, const IntFormat& format, MatrixView<float> out,
                ThreadPool& pool) {
    const GroupLayout layout = group_layout(format, out.rows(), out.cols());
    check_shapes(encoding, format, layout, out);
    if (layout.columns == 0) return;
    const auto decode_row = [&](std::int64_t r) {
        const std::int64_t scale_row = r / layout.height;
        for (std::int64_t g = 0; g < layout.per_row; ++g) {
            IntGrid grid{.scale = encoding.scales.view()(scale_row, g),
                         .zero = static_cast<float>(1 << (format.bits - 1))};
            if (!format.symmetric) grid.zero = static_cast<float>(encoding.zeros.view()(scale_row, g));
            const std::int64_t end = std::min(out.cols(), (g + 1) * layout.columns);
            const std::uint8_t* codes = encoding.codes.row(r).data();
            float* values = out.row(r).data();
            for (std::int64_t c = g * layout.columns; c < end; ++c)
                values[c] = grid.value(static_cast<float>(codes[c]));
        }
    };
    parallel_for(pool, out.rows(), rows_of_task(out.cols()), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) decode_row(r);
    });
}

void round_to_nearest(MatrixView<const float> w, const IntFormat& format, MatrixView<float> out,
                      ThreadPool& pool) {
    for_each_group(w, group_layout(format, w.rows(), w.cols()), pool, [&](const Group& group) {
        const IntGrid grid = int_grid(format, group.range.low, group.range.high);
        const float* in = &w(group.row, group.first_column);
        float* rounded = &out(group.row, group.first_column);
        for (std::int64_t i = 0; i < group.columns; ++i) rounded[i] = grid.value(grid.code(in[i]));
    });
}

}  // namespace assay
