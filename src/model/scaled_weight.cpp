#include "model/scaled_weight.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/checked.h"
#include "base/error.h"

namespace assay {
namespace {

// Tensors that show another way of storing the weight X.weight: X.weight + suffix, or X + suffix.
struct Companion {
    std::string_view suffix;
    bool of_module;
    std::string_view meaning;
};
constexpr auto kUnreadable = std::to_array<Companion>({
    {"_packed", false, "several codes in a word"},
    {"_zero_point", false, "an asymmetric grid"},
    {"_g_idx", false, "groups of reordered columns"},
    {"_global_scale", false, "scales of scales"},
    {"_scale_2", false, "scales of scales"},
    {".absmax", false, "bitsandbytes' 4-bit codes"},
    {".SCB", true, "bitsandbytes' 8-bit codes"},
    {".qweight", true, "GPTQ's or AWQ's packed codes"},
});

std::string_view module_of(std::string_view name) {
    constexpr std::string_view kWeight = ".weight";
    return name.ends_with(kWeight) ? name.substr(0, name.size() - kWeight.size()) : name;
}

const TensorView* find(const TensorMap& tensors, std::string_view name, std::string_view suffix) {
    const auto found = tensors.find(fmt::format("{}{}", name, suffix));
    return found == tensors.end() ? nullptr : &found->second;
}

void refuse_other_storage(const TensorMap& tensors, std::string_view name, std::string_view place) {
    for (const Companion& companion : kUnreadable) {
        const std::string_view owner = companion.of_module ? module_of(name) : name;
        if (find(tensors, owner, companion.suffix) == nullptr) continue;
        throw Unsupported(
            fmt::format("{} is stored with {}{} ({}), which cannot be read as weights; give the "
                        "full-precision model instead",
                        place, owner, companion.suffix, companion.meaning));
    }
}

bool is_float8(DType type) {
    return type == DType::kF8E4M3 || type == DType::kF8E5M2;
}

bool is_wide_float(DType type) {
    return type == DType::kF64 || type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;
}

void check_plain(const TensorView& numbers, const QuantizedStorage& storage, std::string_view place) {
    if (is_wide_float(numbers.dtype) || (is_float8(numbers.dtype) && !storage.scaled)) return;
    const std::string_view type = dtype_name(numbers.dtype);
    if (is_float8(numbers.dtype) || numbers.dtype == DType::kI8) {
        throw FormatError(fmt::format(
            "{} is stored as {} without a scale: expected a tensor of its name and _scale beside it", place,
            type));
    }
    throw Unsupported(fmt::format(
        "{} is stored as {}, which cannot be read as weights; f64, f32, f16 and bf16 can, f8_e4m3, "
        "f8_e5m2 and i8 with scales",
        place, type));
}

// Sets the block of a scale from the shapes.
void fit_scales(ScaledWeight& weight, const QuantizedStorage& storage, std::string_view place) {
    const Shape &shape = weight.numbers->shape, &grid = weight.scales->shape;
    if (shape.size() != 2)
        throw Unsupported(
            fmt::format("{} {} has scales, which only matrices can have", place, to_string(shape)));
    const std::int64_t rows = shape[0], cols = shape[1], whole_row = std::max<std::int64_t>(cols, 1);
    const Shape blocks{ceil_div(rows, storage.block_rows), ceil_div(cols, storage.block_cols)};
    if (element_count(grid) == 1) {
        weight.block_rows = std::max<std::int64_t>(rows, 1);
        weight.block_cols = whole_row;
    } else if (grid == Shape{rows} || grid == Shape{rows, 1}) {
        weight.block_rows = 1;
        weight.block_cols = whole_row;
    } else if (grid == blocks) {
        weight.block_rows = storage.block_rows;
        weight.block_cols = storage.block_cols;
    } else {
        throw FormatError(fmt::format(
            "{} {} has scales of shape {}; expected one, [{}], [{}, 1], or {} for blocks of {} x {}", place,
            to_string(shape), to_string(grid), rows, rows, to_string(blocks), storage.block_rows,
            storage.block_cols));
    }
}

void check_types(const ScaledWeight& weight, bool inverse, std::string_view place) {
    const DType type = weight.numbers->dtype, scale = weight.scales->dtype;
    if (!is_float8(type) && (type != DType::kI8 || inverse)) {
        throw Unsupported(
            fmt::format("{} is stored as {} with scales; only f8_e4m3, f8_e5m2 and (with _scale) i8 "
                        "can be read so",
                        place, dtype_name(type)));
    }
    if (!is_wide_float(scale) && scale != DType::kF8E8M0) {
        throw Unsupported(fmt::format("{} has scales of type {}; f64, f32, f16, bf16 and f8_e8m0 can be read",
                                      place, dtype_name(scale)));
    }
}

}  // namespace

bool is_scale(const TensorMap& tensors, std::string_view name) {
    for (const std::string_view suffix : {"_scale", "_scale_inv"}) {
        if (name.ends_with(suffix) && tensors.contains(name.substr(0, name.size() - suffix.size())))
            return true;
    }
    return false;
}

ScaledWeight find_weight(const TensorMap& tensors, std::string_view name, const QuantizedStorage& storage,
                         std::string_view place) {
    refuse_other_storage(tensors, name, place);
    ScaledWeight weight;
    weight.numbers = find(tensors, name, "");
    if (weight.numbers == nullptr) throw FormatError(fmt::format("{} is missing", place));
    const TensorView *scale = find(tensors, name, "_scale"), *inverse = find(tensors, name, "_scale_inv");
    if (scale != nullptr && inverse != nullptr)
        throw FormatError(
            fmt::format("{} has both {}_scale and {}_scale_inv; expected one", place, name, name));
    weight.scales = scale != nullptr ? scale : inverse;
    if (weight.scales == nullptr) {
        check_plain(*weight.numbers, storage, place);
    } else {
        check_types(weight, inverse != nullptr, place);
        fit_scales(weight, storage, place);
    }
    return weight;
}

void read_rows(const ScaledWeight& weight, std::int64_t first_row, MatrixView<float> out) {
    if (out.rows() == 0) return;
    for (std::int64_t r = 0; r < out.rows(); ++r)
        to_f32(*weight.numbers, (first_row + r) * out.cols(), out.row(r));
    if (weight.scales == nullptr) return;
    const std::int64_t per_row = ceil_div(out.cols(), weight.block_cols);
    std::vector<float> scales(static_cast<std::size_t>(per_row));
    for (std::int64_t r = 0; r < out.rows(); ++r) {
        to_f32(*weight.scales, (first_row + r) / weight.block_rows * per_row, scales);
        for (std::int64_t k = 0; k < per_row; ++k) {
            const std::int64_t begin = k * weight.block_cols,
                               end = std::min(out.cols(), begin + weight.block_cols);
            const float scale = scales[static_cast<std::size_t>(k)];
            for (std::int64_t c = begin; c < end; ++c) out(r, c) *= scale;
        }
    }
}

}  // namespace assay
