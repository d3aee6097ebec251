#include "targets/kernels.h"

#include <algorithm>
#include <optional>

namespace assay {
namespace {

constexpr std::string_view kVllmMarlin =
    "vLLM, model_executor/layers/quantization/utils/marlin_utils.py (read 2025)";
constexpr std::string_view kVllmMachete =
    "vLLM, model_executor/layers/quantization/kernels/mixed_precision/machete.py (read 2025)";
constexpr std::string_view kVllmGptq = "vLLM, csrc/quantization/gptq/q_gemm.cu (read 2025)";
constexpr std::string_view kGptqModel = "GPTQModel 7.3.4, nn_modules/qlinear/exllamav2.py";
constexpr std::string_view kAutoAwq = "AutoAWQ, awq/modules/linear/gemm.py; vLLM, awq.py (read 2025)";
constexpr std::string_view kGgml = "ggml, ggml-common.h and ggml-quants.c: Q4_0, Q4_1, Q8_0";
constexpr std::string_view kVllmScaledMm =
    "vLLM, csrc/quantization/w8a8/cutlass/scaled_mm_entry.cu (read 2025): rows of 16 bytes";
constexpr std::string_view kVllmFp8Marlin =
    "vLLM, model_executor/layers/quantization/utils/marlin_utils_fp8.py (read 2025)";
constexpr std::string_view kVllmNvfp4 =
    "vLLM, model_executor/layers/quantization/modelopt.py: ModelOptNvFp4LinearMethod (read 2025)";
constexpr std::string_view kGgmlMxfp4 = "ggml, ggml-common.h: block_mxfp4";

const std::vector<IntegerKernel>& rules() {
    static const std::vector<IntegerKernel> all{
        {"Marlin", kVllmMarlin, {4, 8}, {4}, {0, 32, 64, 128}, 64, 128, true},
        {"Machete", kVllmMachete, {4, 8}, {4, 8}, {0, 64, 128}, 128, 64, true},
        {"ExLlamaV2", kGptqModel, {4}, {4}, {}, 32, 32, true},
        {"GPTQ fallback of vLLM", kVllmGptq, {2, 3, 4, 8}, {2, 3, 4, 8}, {}, 32, 1, true},
        {"AWQ GEMM", kAutoAwq, {}, {4}, {}, 8, 1, false},
        {"llama.cpp", kGgml, {4, 8}, {4}, {32}, 1, 32, false},
    };
    return all;
}

constexpr IntFormat int8_of(Tile tile) {
    return {.bits = 8, .symmetric = true, .tile = tile};
}

const std::vector<FormatKernel>& format_rules() {
    static const std::vector<FormatKernel> all{
        {"CUTLASS int8", kVllmScaledMm, int8_of(kChannelTile), true, 16, 16},
        {"CUTLASS int8", kVllmScaledMm, int8_of(kTensorTile), true, 16, 16},
        {"CUTLASS FP8", kVllmScaledMm, Fp8Format{}, true, 16, 16},
        {"CUTLASS FP8", kVllmScaledMm, Fp8Format{.tile = kTensorTile}, true, 16, 16},
        {"FP8 Marlin", kVllmFp8Marlin, Fp8Format{}, false, 64, 128},
        {"FP8 Marlin", kVllmFp8Marlin, Fp8Format{.tile = kTensorTile}, false, 64, 128},
        {"CUTLASS NVFP4", kVllmNvfp4, Nvfp4Format{}, false, 32, 32},
        {"llama.cpp", kGgmlMxfp4, MxFormat{}, false, 1, 32},
    };
    return all;
}

bool holds(const std::vector<int>& bits, int wanted) {
    return std::find(bits.begin(), bits.end(), wanted) != bits.end();
}

// Columns of a group, 0 for whole rows; nothing for tiles that no weight-only kernel knows.
std::optional<std::int64_t> group_of(const Tile& tile) {
    if (tile.rows != 1) return std::nullopt;
    return tile.columns;
}

bool has_option(const Treatment& treatment, std::string_view name) {
    const auto options = method_of(treatment).options;
    return std::any_of(options.begin(), options.end(),
                       [&](const MethodOption& row) { return row.name == name; });
}

// Methods without the option static-groups have static groups always.
bool reorders_groups(const Treatment& treatment) {
    return has_option(treatment, "static-groups") && option(treatment, "act-order") != 0 &&
           option(treatment, "static-groups") == 0;
}

bool takes(const IntegerKernel& kernel, const IntFormat& format, std::int64_t group, const MatrixShape& m) {
    const std::int64_t span = group == 0 ? m.in : group;
    return holds(format.symmetric ? kernel.symmetric : kernel.asymmetric, format.bits) &&
           (kernel.groups.empty() ||
            std::find(kernel.groups.begin(), kernel.groups.end(), group) != kernel.groups.end()) &&
           m.in % span == 0 && m.in % kernel.in_multiple == 0 && m.out % kernel.out_multiple == 0;
}

std::vector<std::string> integer_names(const Treatment& treatment, const IntFormat& format,
                                       std::span<const MatrixShape> matrices) {
    const auto group = group_of(format.tile);
    std::vector<std::string> names;
    if (!group || format.scale == ScaleType::kF32) return names;
    for (const IntegerKernel& kernel : rules()) {
        if (reorders_groups(treatment) && !kernel.reordered_groups) continue;
        if (std::all_of(matrices.begin(), matrices.end(),
                        [&](const MatrixShape& m) { return takes(kernel, format, *group, m); }))
            names.emplace_back(kernel.name);
    }
    return names;
}

NumberFormat without_scale(NumberFormat format) {
    if (auto* fp8 = std::get_if<Fp8Format>(&format)) fp8->scale = Fp8Format{}.scale;
    if (auto* integers = std::get_if<IntFormat>(&format)) integers->scale = IntFormat{}.scale;
    return format;
}

}  // namespace

std::span<const FormatKernel> format_kernels() {
    return format_rules();
}

std::span<const IntegerKernel> integer_kernels() {
    return rules();
}

std::vector<std::string> kernels_of(const Treatment& treatment, std::span<const MatrixShape> matrices) {
    const auto* integers = std::get_if<IntFormat>(&treatment.format);
    if (integers != nullptr && !treatment.activations) return integer_names(treatment, *integers, matrices);
    std::vector<std::string> names;
    for (const FormatKernel& kernel : format_rules()) {
        if (kernel.rounds_inputs != treatment.activations.has_value() ||
            without_scale(kernel.format) != without_scale(treatment.format))
            continue;
        if (std::all_of(matrices.begin(), matrices.end(), [&](const MatrixShape& m) {
                return m.in % kernel.in_multiple == 0 && m.out % kernel.out_multiple == 0;
            }))
            names.emplace_back(kernel.name);
    }
    return names;
}

}  // namespace assay
