#include "number/nvfp4.h"

#include <algorithm>
#include <limits>

#include "number/e2m1.h"
#include "number/group_walk.h"
#include "tensor/float8.h"

namespace assay {
namespace {

constexpr Tile kTile = group_tile(16);
constexpr float kSmallestE4m3 = 0x1.0p-9f;

float global_scale_of(float largest) {
    if (largest == 0) return 1;
    return std::min(kF8E4M3Max * kE2m1Max * (1 / largest), std::numeric_limits<float>::max());
}

float scale_of(float largest, float global_scale) {
    if (largest == 0) return 0;
    return std::max(f8e4m3_to_f32(f32_to_f8e4m3(global_scale * (largest / kE2m1Max))), kSmallestE4m3);
}

FloatScheme scheme_of(MatrixView<const float> w, ThreadPool& pool) {
    const GroupLayout layout = layout_of(kTile, w.rows(), w.cols());
    const float global_scale =
        layout.columns == 0 ? 1.0f : global_scale_of(value_range(w, pool).largest_magnitude());
    return {.element = FloatElement::kE2m1,
            .layout = layout,
            .scale = [global_scale](float largest) { return scale_of(largest, global_scale); },
            .global_scale = global_scale};
}

}  // namespace

std::optional<Nvfp4Format> parse_nvfp4_format(FormatText& text) {
    if (!text.take("nvfp4")) return std::nullopt;
    if (!text.at_end()) text.reject("nvfp4 has groups of 16 and E4M3 scales: nothing more is expected");
    return Nvfp4Format{};
}

std::string to_string(const Nvfp4Format&) {
    return "nvfp4";
}

GroupLayout group_layout(const Nvfp4Format&, std::int64_t out, std::int64_t in) {
    return layout_of(kTile, out, in);
}

FormatSize storage_size(const Nvfp4Format&, std::int64_t out, std::int64_t in) {
    FormatSize size = size_of(kTile, {.code = 4, .scale = 8}, out, in);
    if (size.elements > 0) size.scale_bits += 32;
    return size;
}

FloatEncoding encode_nvfp4(MatrixView<const float> w, const Nvfp4Format&, ThreadPool& pool) {
    return encode_float(w, scheme_of(w, pool), pool);
}

void decode_nvfp4(const FloatEncoding& encoding, const Nvfp4Format&, MatrixView<float> out,
                  ThreadPool& pool) {
    decode_float(encoding, FloatElement::kE2m1, layout_of(kTile, out.rows(), out.cols()), out, pool);
}

void round_to_nearest(MatrixView<const float> w, const Nvfp4Format&, MatrixView<float> out,
                      ThreadPool& pool) {
    round_float(w, scheme_of(w, pool), out, pool);
}

}  // namespace assay
