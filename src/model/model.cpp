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
void expect_finite(std::span<const float> values, const std::string& place, std::int64_t cols,
                   std::int64_t first_row) {
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
            values[i], first_row + at / cols, at % cols));
    }
}

}  // namespace

std::string Model::block_weight_name(std::int64_t block, const std::string& weight) {
    return fmt::format("model.layers.{}.{}", block, weight);
}

Model::Model(std::string path, ModelConfig config, std::vector<BlockProgram> blocks,
             std::shared_ptr<const WeightSource> weights)
    : path_(std::move(path)),
      config_(std::move(config)),
      blocks_(std::move(blocks)),
      weights_(std::move(weights)) {
    if (static_cast<std::int64_t>(blocks_.size()) != config_.layers)
        throw InvalidArgument("a model needs one program for each block");
    list_items();
    for (const auto& [name, shape] : expected_tensors(config_, blocks_)) expect_tensor(name, shape);
}

std::vector<std::pair<std::string, Shape>> expected_tensors(const ModelConfig& config,
                                                            const std::vector<BlockProgram>& blocks) {
    std::vector<std::pair<std::string, Shape>> tensors;
    for (std::size_t b = 0; b < blocks.size(); ++b) {
        const auto cols = [&](int slot) { return blocks[b].slot_cols[static_cast<std::size_t>(slot)]; };
        for (const BlockOp& op : blocks[b].ops) {
            if (op.weight.empty()) continue;
            const std::string name = Model::block_weight_name(static_cast<std::int64_t>(b), op.weight);
            const bool linear = op.kind == BlockOpKind::kLinear;
            tensors.emplace_back(name + ".weight", linear ? Shape{cols(op.output), cols(op.inputs[0].slot)}
                                                          : Shape{op.norm_cols});
            if (op.bias) tensors.emplace_back(name + ".bias", Shape{cols(op.output)});
        }
    }
    tensors.emplace_back(std::string(kFinalNormName) + ".weight", Shape{config.hidden});
    tensors.emplace_back(std::string(kEmbeddingName) + ".weight", Shape{config.vocabulary, config.hidden});
    if (!config.tied_head)
        tensors.emplace_back(std::string(kHeadName) + ".weight", Shape{config.vocabulary, config.hidden});
    return tensors;
}

std::vector<std::string> Model::vector_names() const {
    std::vector<std::string> names;
    for (std::int64_t b = 0; b < config_.layers; ++b) {
        for (const BlockOp& op : block(b).ops) {
            if (op.kind == BlockOpKind::kRmsNorm)
                names.push_back(block_weight_name(b, op.weight) + ".weight");
            if (op.bias) names.push_back(block_weight_name(b, op.weight) + ".bias");
        }
    }
    names.push_back(std::string(kFinalNormName) + ".weight");
    return names;
}

void Model::list_items() {
    using Role = LinearItem::Role;
    item_of_op_.resize(blocks_.size());
    for (std::int64_t b = 0; b < config_.layers; ++b) {
        const BlockProgram& program = block(b);
        for (std::size_t i = 0; i < program.ops.size(); ++i) {
            const BlockOp& op = program.ops[i];
            if (op.kind != BlockOpKind::kLinear) continue;
            auto& indexes = item_of_op_[static_cast<std::size_t>(b)];
            indexes.resize(program.ops.size());
            indexes[i] = items_.size();
            items_.push_back({block_weight_name(b, op.weight), last_part(op.weight),
                              op.router ? Role::kRouter : Role::kBlock, b, static_cast<int>(i),
                              program.slot_cols[static_cast<std::size_t>(op.output)],
                              program.slot_cols[static_cast<std::size_t>(op.inputs[0].slot)]});
        }
    }
    const auto add = [this](const char* name, Role role) {
        items_.push_back({name, last_part(name), role, -1, -1, config_.vocabulary, config_.hidden});
    };
    add(kEmbeddingName, config_.tied_head ? Role::kTiedEmbedding : Role::kEmbedding);
    if (!config_.tied_head) add(kHeadName, Role::kHead);
}

const LinearItem& Model::item_of(std::int64_t b, std::size_t op) const {
    if (op >= block(b).ops.size() || block(b).ops[op].kind != BlockOpKind::kLinear)
        throw InvalidArgument("this operation of the block is no linear");
    return items_[item_of_op_[static_cast<std::size_t>(b)][op]];
}

bool changes_embedding(const LinearItem& item) {
    return item.role == LinearItem::Role::kEmbedding || item.role == LinearItem::Role::kTiedEmbedding;
}

bool changes_head(const LinearItem& item) {
    return item.role == LinearItem::Role::kHead || item.role == LinearItem::Role::kTiedEmbedding;
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

Matrix<float> read_weight_rows(const WeightSource& source, const std::string& name, std::int64_t first,
                               std::int64_t count) {
    const std::string full = name + ".weight";
    Matrix<float> w(count, source.shape(full).back());
    source.read(full, first, w.view());
    expect_finite(w.values(), source.place(full), w.cols(), first);
    return w;
}

Matrix<float> read_weight(const WeightSource& source, const std::string& name) {
    const Shape shape = source.shape(name + ".weight");
    return read_weight_rows(source, name, 0, shape.size() > 1 ? shape[0] : 1);
}

std::vector<float> read_vector(const WeightSource& source, const std::string& name) {
    const std::int64_t n = element_count(source.shape(name));
    std::vector<float> values(static_cast<std::size_t>(n));
    source.read(name, 0, MatrixView<float>(values.data(), 1, n));
    expect_finite(values, source.place(name), n, 0);
    return values;
}

}  // namespace assay
