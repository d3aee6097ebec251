#include "model/model.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>

#include "base/error.h"

namespace assay {
namespace {

std::string last_part(const std::string& name) {
    return name.substr(name.rfind('.') + 1);
}

// The first loop is one that the compiler vectorises; the slow search runs only where it found something.
void expect_finite(std::span<const float> values, const std::string& place, std::int64_t cols) {
    constexpr std::uint32_t kExponent = 0x7f800000u;  // all ones: Inf or NaN
    std::uint32_t bad = 0;
    for (float v : values)
        bad |= static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(v) & kExponent) == kExponent);
    if (bad == 0) return;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (std::isfinite(values[i])) continue;
        const auto at = static_cast<std::int64_t>(i);
        throw NumericError(fmt::format(
            "{}: {} at row {}, column {}; the weights are damaged: fetch or convert the model again", place,
            values[i], at / cols, at % cols));
    }
}

}  // namespace

std::string Model::block_weight_name(std::int64_t block, const std::string& weight) {
    return fmt::format("model.layers.{}.{}", block, weight);
}

Model::Model(std::string path, ModelConfig config, BlockProgram block,
             std::shared_ptr<const WeightSource> weights)
    : path_(std::move(path)),
      config_(std::move(config)),
      block_(std::move(block)),
      weights_(std::move(weights)) {
    list_items();
    for (std::int64_t b = 0; b < config_.layers; ++b) {
        for (const BlockOp& op : block_.ops) {
            if (op.weight.empty()) continue;
            const std::string name = block_weight_name(b, op.weight);
            const std::int64_t in = block_.slot_cols[static_cast<std::size_t>(op.inputs[0])];
            const std::int64_t out = block_.slot_cols[static_cast<std::size_t>(op.output)];
            const bool linear = op.kind == BlockOpKind::kLinear;
            expect_tensor(name + ".weight", linear ? Shape{out, in} : Shape{out});
            if (op.bias) expect_tensor(name + ".bias", {out});
        }
    }
    expect_tensor(std::string(kFinalNormName) + ".weight", {config_.hidden});
    expect_tensor(std::string(kEmbeddingName) + ".weight", {config_.vocabulary, config_.hidden});
    if (!config_.tied_head)
        expect_tensor(std::string(kHeadName) + ".weight", {config_.vocabulary, config_.hidden});
}

std::vector<std::string> Model::vector_names() const {
    std::vector<std::string> names;
    for (std::int64_t b = 0; b < config_.layers; ++b) {
        for (const BlockOp& op : block_.ops) {
            if (op.kind == BlockOpKind::kRmsNorm)
                names.push_back(block_weight_name(b, op.weight) + ".weight");
            if (op.bias) names.push_back(block_weight_name(b, op.weight) + ".bias");
        }
    }
    names.push_back(std::string(kFinalNormName) + ".weight");
    return names;
}

void Model::list_items() {
    for (std::int64_t b = 0; b < config_.layers; ++b) {
        for (std::size_t i = 0; i < block_.ops.size(); ++i) {
            const BlockOp& op = block_.ops[i];
            if (op.kind != BlockOpKind::kLinear) continue;
            items_.push_back({block_weight_name(b, op.weight), last_part(op.weight), LinearItem::Role::kBlock,
                              b, static_cast<int>(i), block_.slot_cols[static_cast<std::size_t>(op.output)],
                              block_.slot_cols[static_cast<std::size_t>(op.inputs[0])]});
        }
    }
    const auto add = [this](const char* name, LinearItem::Role role) {
        items_.push_back({name, last_part(name), role, -1, -1, config_.vocabulary, config_.hidden});
    };
    add(kEmbeddingName, config_.tied_head ? LinearItem::Role::kTiedEmbedding : LinearItem::Role::kEmbedding);
    if (!config_.tied_head) add(kHeadName, LinearItem::Role::kHead);
}

void Model::expect_tensor(const std::string& name, const std::vector<std::int64_t>& shape) const {
    if (!weights_->contains(name)) {
        throw FormatError(fmt::format(
            "{}: tensor {} {} is missing, which the config calls for; the model is incomplete or its config "
            "belongs to another one",
            path_, name, to_string(shape)));
    }
    const Shape found = weights_->shape(name);
    if (found != shape) {
        throw FormatError(fmt::format("{}: tensor {} has shape {}, the config calls for {}", path_, name,
                                      to_string(found), to_string(shape)));
    }
}

Matrix<float> read_weight(const WeightSource& source, const std::string& name) {
    const std::string full = name + ".weight";
    const Shape shape = source.shape(full);
    Matrix<float> w(shape.size() > 1 ? shape[0] : 1, shape.back());
    source.read(full, 0, w.view());
    expect_finite(w.values(), source.place(full), w.cols());
    return w;
}

std::vector<float> read_vector(const WeightSource& source, const std::string& name) {
    const std::int64_t n = element_count(source.shape(name));
    std::vector<float> values(static_cast<std::size_t>(n));
    source.read(name, 0, MatrixView<float>(values.data(), 1, n));
    expect_finite(values, source.place(name), n);
    return values;
}

}  // namespace assay
