#include "model/quantization_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"

namespace assay {
namespace {

constexpr IntRange kSize{.least = 1, .most = std::int64_t{1} << 31};

struct Block {
    std::int64_t rows = 0, cols = 0;
    bool operator==(const Block&) const = default;
};

Block read_block(const Json& sizes, const std::string& where) {
    if (sizes.size() != 2)
        throw FormatError(fmt::format("{} has {} numbers, expected [rows, columns]", where, sizes.size()));
    return {as_int(sizes[0], where, kSize), as_int(sizes[1], where, kSize)};
}

bool is_readable_format(const std::string& format) {
    constexpr std::array<std::string_view, 3> kFormats{"float-quantized", "naive-quantized", "int-quantized"};
    return std::find(kFormats.begin(), kFormats.end(), format) != kFormats.end();
}

bool is_filled(const Json* object) {
    return object != nullptr && !object->empty();
}

// The "weights" of one of compressed-tensors' groups.
struct WeightArgs {
    std::string refusal;
    std::optional<Block> block;  // scales are per block
};

WeightArgs read_weight_args(const Json& args, const std::string& where) {
    const std::string type = optional_string(args, "type", where).value_or("int");
    const std::int64_t bits = optional_int(args, "num_bits", where).value_or(8);
    if (!optional_bool(args, "symmetric", where).value_or(true)) return {"asymmetric weights", {}};
    if (type != "int" && type != "float") return {"weights of type " + type, {}};
    if (bits < 2 || bits > 8 || (type == "float" && bits != 8))
        return {fmt::format("{} weights of {} bits", type, bits), {}};
    const auto strategy = optional_string(args, "strategy", where);
    if (!strategy || *strategy == "tensor" || *strategy == "channel") return {};
    if (*strategy == "block")
        return {"", read_block(require_array(args, "block_structure", where),
                               json_path(where, "block_structure"))};
    if (*strategy == "group") return {"", Block{1, require_int(args, "group_size", where, kSize)}};
    return {"weight scales per " + *strategy, {}};
}

// compressed-tensors: every group must be readable, and all block scales alike.
void read_groups(const Json& settings, const std::string& where, QuantizedStorage& storage) {
    const Json* groups = optional_object(settings, "config_groups", where);
    if (groups == nullptr) return;
    const auto format = optional_string(settings, "format", where).value_or("dense");
    std::optional<Block> common;
    for (const auto& item : groups->items()) {
        const std::string group = json_path(json_path(where, "config_groups"), item.key());
        const Json* weights = optional_object(item.value(), "weights", group);
        if (weights == nullptr) continue;
        storage.scaled = true;
        const auto own_format = optional_string(item.value(), "format", group).value_or(format);
        const WeightArgs args = read_weight_args(*weights, json_path(group, "weights"));
        if (!is_readable_format(own_format)) {
            storage.refusal = "format " + own_format;
        } else if (!args.refusal.empty()) {
            storage.refusal = args.refusal;
        } else if (args.block && common && *args.block != *common) {
            storage.refusal = "block scales of several sizes";
        }
        if (!storage.refusal.empty()) return;
        if (args.block) common = args.block;
    }
    if (common) {
        storage.block_rows = common->rows;
        storage.block_cols = common->cols;
    }
}

void read_compressed_tensors(const Json& settings, const std::string& where, QuantizedStorage& storage) {
    const Json* sparsity = optional_object(settings, "sparsity_config", where);
    if (is_filled(sparsity) && optional_string(*sparsity, "format", where).value_or("") != "dense") {
        storage.refusal = "compressed sparse weights";
    } else if (is_filled(optional_object(settings, "transform_config", where))) {
        storage.refusal = "rotated weights (transform_config)";
    } else {
        read_groups(settings, where, storage);
    }
}

void read_fp8(const Json& settings, const std::string& where, QuantizedStorage& storage) {
    storage.scaled = true;
    const Json* sizes = optional_array(settings, "weight_block_size", where);
    if (sizes == nullptr) return;
    const Block block = read_block(*sizes, json_path(where, "weight_block_size"));
    storage.block_rows = block.rows;
    storage.block_cols = block.cols;
}

}  // namespace

QuantizedStorage read_quantization_config(const Json& config, const std::string& what) {
    QuantizedStorage storage;
    for (const char* key : {"quantization_config", "compression_config"}) {
        const Json* settings = optional_object(config, key, what);
        if (settings == nullptr) continue;
        const std::string where = json_path(what, key);
        const auto method = optional_string(*settings, "quant_method", where).value_or("unknown");
        if (method == "fp8") {
            read_fp8(*settings, where, storage);
        } else if (method == "compressed-tensors") {
            read_compressed_tensors(*settings, where, storage);
        } else {
            storage.refusal = "unsupported method";
        }
        if (!storage.refusal.empty()) {
            storage.refusal = fmt::format(
                "{}: this is a quantized checkpoint that cannot be read exactly (quant_method {}: {}); fp8, "
                "and "
                "compressed-tensors with symmetric 8-bit weights in the formats float-quantized, "
                "naive-quantized or int-quantized can be; give the full-precision model instead",
                what, method, storage.refusal);
        }
        break;
    }
    return storage;
}

}  // namespace assay
