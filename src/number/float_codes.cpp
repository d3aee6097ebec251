#include "number/float_codes.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "number/e2m1.h"
#include "number/group_walk.h"
#include "tensor/float8.h"

namespace assay {
namespace {

struct E2m1 {
    static std::uint8_t code(float x) { return f32_to_e2m1(x); }
    static float value(std::uint8_t code) { return e2m1_to_f32(code); }
};
struct E4m3 {
    static std::uint8_t code(float x) { return f32_to_f8e4m3(x); }
    static float value(std::uint8_t code) { return f8e4m3_to_f32(code); }
};
struct E5m2 {
    static std::uint8_t code(float x) { return f32_to_f8e5m2(x); }
    static float value(std::uint8_t code) { return f8e5m2_to_f32(code); }
};

// Calls loop with the element's conversions, so that they are compiled into it.
template <class Loop>
void with_element(FloatElement element, Loop loop) {
    switch (element) {
        case FloatElement::kE2m1:
            return loop(E2m1{});
        case FloatElement::kE4m3:
            return loop(E4m3{});
        case FloatElement::kE5m2:
            return loop(E5m2{});
    }
}

// What a code of 1.0 stands for, in a group of `stored` scale.
float step_of(const FloatScheme& scheme, const ValueRange& range, float& stored) {
    stored = scheme.scale(range.largest_magnitude());
    const float step = stored / scheme.global_scale;
    if (!std::isfinite(step * largest_value(scheme.element))) {
        throw NumericError("weights up to " + std::to_string(range.largest_magnitude()) +
                           " are too large for the scales of this format; use one with (scale=f32) or leave "
                           "this linear unquantized");
    }
    return step;
}

bool fits(const FloatEncoding& encoding, const GroupLayout& layout, MatrixView<float> out) {
    return encoding.codes.rows() == out.rows() && encoding.codes.cols() == out.cols() &&
           encoding.scales.rows() == layout.rows && encoding.scales.cols() == layout.per_row;
}

}  // namespace

int bits_of(FloatElement element) {
    return element == FloatElement::kE2m1 ? 4 : 8;
}

float largest_value(FloatElement element) {
    if (element == FloatElement::kE2m1) return kE2m1Max;
    return element == FloatElement::kE4m3 ? kF8E4M3Max : kF8E5M2Max;
}

FloatEncoding encode_float(MatrixView<const float> w, const FloatScheme& scheme, ThreadPool& pool) {
    FloatEncoding encoding{.codes = Matrix<std::uint8_t>(w.rows(), w.cols()),
                           .scales = Matrix<float>(scheme.layout.rows, scheme.layout.per_row),
                           .global_scale = scheme.global_scale};
    for_each_group(w, scheme.layout, pool, [&](const Group& group) {
        float stored = 0;
        const float step = step_of(scheme, group.range, stored), divisor = step > 0 ? step : 1.0f;
        const float* in = &w(group.row, group.first_column);
        std::uint8_t* codes = &encoding.codes.view()(group.row, group.first_column);
        with_element(scheme.element, [&](auto element) {
            for (std::int64_t i = 0; i < group.columns; ++i) codes[i] = element.code(in[i] / divisor);
        });
        if (group.row % scheme.layout.height == 0)  // the first row of a tile stores its scale
            encoding.scales.view()(group.scale_row, group.scale_column) = stored;
    });
    return encoding;
}

void decode_float(const FloatEncoding& encoding, FloatElement element, const GroupLayout& layout,
                  MatrixView<float> out, ThreadPool& pool) {
    if (!fits(encoding, layout, out)) {
        throw InvalidArgument("decode_float: the encoding's shapes do not fit a matrix [" +
                              std::to_string(out.rows()) + ", " + std::to_string(out.cols()) + "]");
    }
    if (layout.columns == 0) return;
    const auto decode_row = [&](std::int64_t row) {
        const std::uint8_t* codes = encoding.codes.row(row).data();
        float* values = out.row(row).data();
        for (std::int64_t g = 0; g < layout.per_row; ++g) {
            const float step = encoding.scales.view()(row / layout.height, g) / encoding.global_scale;
            const std::int64_t end = std::min(out.cols(), (g + 1) * layout.columns);
            with_element(element, [&](auto conversions) {
                for (std::int64_t c = g * layout.columns; c < end; ++c)
                    values[c] = conversions.value(codes[c]) * step;
            });
        }
    };
    parallel_for(pool, out.rows(), rows_of_task(out.cols()), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) decode_row(row);
    });
}

void round_float(MatrixView<const float> w, const FloatScheme& scheme, MatrixView<float> out,
                 ThreadPool& pool) {
    for_each_group(w, scheme.layout, pool, [&](const Group& group) {
        float stored = 0;
        const float step = step_of(scheme, group.range, stored), divisor = step > 0 ? step : 1.0f;
        const float* in = &w(group.row, group.first_column);
        float* rounded = &out(group.row, group.first_column);
        with_element(scheme.element, [&](auto element) {
            for (std::int64_t i = 0; i < group.columns; ++i)
                rounded[i] = element.value(element.code(in[i] / divisor)) * step;
        });
    });
}

}  // namespace assay
