#include "model/folding.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace assay {
namespace {

using enum BlockOpKind;

constexpr const char* kStream = "it is the residual stream, which later operations read too";

class BlockFolds {
  public:
    BlockFolds(const Model& model, std::int64_t block)
        : model_(model), block_(block), program_(model.block(block)) {}

    std::vector<Fold> all() const {
        std::vector<Fold> folds;
        for (std::size_t i = 0; i < program_.ops.size(); ++i) {
            if (program_.ops[i].kind != kLinear) continue;
            const int slot = origin(program_.ops[i].inputs[0].slot);
            auto found =
                std::find_if(folds.begin(), folds.end(), [&](const Fold& fold) { return fold.slot == slot; });
            if (found == folds.end()) {
                folds.push_back({.block = block_, .slot = slot});
                found = folds.end() - 1;
            }
            found->readers.push_back(
                static_cast<std::size_t>(&model_.item_of(block_, i) - model_.items().data()));
        }
        for (Fold& fold : folds) resolve(fold);
        return folds;
    }

  private:
    std::int64_t cols(int slot) const { return program_.slot_cols[static_cast<std::size_t>(slot)]; }

    // The operation that writes a slot; none for the block's input.
    const BlockOp* maker(int slot) const {
        const auto found = std::find_if(program_.ops.begin(), program_.ops.end(),
                                        [&](const BlockOp& op) { return op.output == slot; });
        return found == program_.ops.end() ? nullptr : &*found;
    }

    // Where the rows of a slot come from: experts read some rows of another one.
    int origin(int slot) const {
        const BlockOp* op = maker(slot);
        return op != nullptr && op->kind == kGather ? op->inputs[0].slot : slot;
    }

    static bool overlaps(const SlotPart& a, const SlotPart& b) {
        return a.slot == b.slot &&
               (a.cols == 0 || b.cols == 0 || (a.first < b.first + b.cols && b.first < a.first + a.cols));
    }

    // Does anything but operations that `may` names read some of these columns?
    template <class May>
    bool read_elsewhere(const SlotPart& part, const May& may) const {
        if (part.slot == program_.output) return true;
        return std::any_of(program_.ops.begin(), program_.ops.end(), [&](const BlockOp& op) {
            if (op.residual == part.slot) return true;
            return !may(op) && std::any_of(op.inputs.begin(), op.inputs.end(),
                                           [&](const SlotPart& input) { return overlaps(input, part); });
        });
    }

    void resolve(Fold& fold) const {
        const BlockOp* op = maker(fold.slot);
        const auto reads = [](const BlockOp& reader) {
            return reader.kind == kLinear || reader.kind == kGather;
        };
        if (op == nullptr || op->residual >= 0 || read_elsewhere(fold.slot, reads)) {
            fold.obstacle = kStream;
        } else if (op->kind == kRmsNorm && op->norm_cols == cols(fold.slot)) {
            fold.source = Model::block_weight_name(block_, op->weight);
            fold.rows.resize(static_cast<std::size_t>(op->norm_cols));
            std::iota(fold.rows.begin(), fold.rows.end(), std::int64_t{0});
        } else if (op->kind == kAttention) {
            take_rows(*op, op->inputs[2], fold);
        } else if (op->kind == kGated) {
            take_rows(*op, op->inputs[1], fold);
        } else {
            fold.obstacle = "what makes it is neither a norm nor linear in the rows of a linear";
        }
    }

    // `part` holds the values of attention, or up.
    void take_rows(const BlockOp& op, const SlotPart& part, Fold& fold) const {
        const BlockOp* source = maker(part.slot);
        const auto own = [&](const BlockOp& reader) { return &reader == &op; };
        if (source == nullptr || source->kind != kLinear || source->residual >= 0 ||
            read_elsewhere(part, own)) {
            fold.obstacle = "its values come of no linear, or of one that other operations read too";
            return;
        }
        fold.source = Model::block_weight_name(block_, source->weight);
        const ModelConfig& config = model_.config();
        for (std::int64_t c = 0; c < cols(fold.slot); ++c) {
            const std::int64_t head = c / config.head_dim * config.kv_heads / config.heads;
            fold.rows.push_back(part.first +
                                (op.kind == kGated ? c : head * config.head_dim + c % config.head_dim));
        }
    }

    const Model& model_;
    std::int64_t block_;
    const BlockProgram& program_;
};

void check(const Model& model, const FoldedScales& folded) {
    std::string names;
    for (std::size_t i : folded.fold.readers) names += (names.empty() ? "" : ", ") + model.items()[i].name;
    const auto expect = [&](bool good, std::string_view why) {
        if (!good) throw InvalidArgument(fmt::format("the input of {} cannot be scaled: {}", names, why));
    };
    const Fold& fold = folded.fold;
    expect(fold.obstacle.empty(), fold.obstacle);
    expect(folded.scales.size() == fold.rows.size(), "a scale is expected for each channel");
    std::map<std::int64_t, float> of_row;
    for (std::size_t c = 0; c < fold.rows.size(); ++c) {
        const float scale = folded.scales[c];
        expect(std::isfinite(scale) && scale > 0, "scales are positive and finite");
        expect(of_row.emplace(fold.rows[c], scale).first->second == scale,
               fmt::format("channels of one row of {} share one scale", fold.source));
    }
}

}  // namespace

std::vector<Fold> find_folds(const Model& model, std::int64_t block) {
    return BlockFolds(model, block).all();
}

const Fold& fold_of(std::span<const Fold> folds, std::size_t item) {
    for (const Fold& fold : folds) {
        if (std::binary_search(fold.readers.begin(), fold.readers.end(), item)) return fold;
    }
    throw InvalidArgument("none of these folds is of an input of this item");
}

FoldedWeights::FoldedWeights(const Model& model, std::span<const FoldedScales> folded)
    : weights_(model.weights()) {
    for (const FoldedScales& one : folded) {
        check(model, one);
        for (std::size_t i : one.fold.readers) {
            const std::string& name = model.items()[i].name;
            std::vector<float>& columns = changes_[name + ".weight"].columns;
            if (!columns.empty()) throw InvalidArgument("the input of " + name + " is scaled twice");
            columns = one.scales;
        }
        divide(model, one);
    }
}

void FoldedWeights::divide(const Model& model, const FoldedScales& folded) {
    const std::string weight = folded.fold.source + ".weight", bias = folded.fold.source + ".bias";
    std::vector<std::string> tensors{weight};
    if (weights_.contains(bias)) tensors.push_back(bias);
    const Shape shape = weights_.shape(weight);
    for (const std::string& name : tensors) {
        Change& change = changes_[name];
        if (shape.size() == 1) change.offset = static_cast<float>(model.config().norm_offset);
        change.divisors.resize(static_cast<std::size_t>(shape[0]), 1.0f);
        for (std::size_t c = 0; c < folded.scales.size(); ++c)
            change.divisors[static_cast<std::size_t>(folded.fold.rows[c])] = folded.scales[c];
    }
}

void FoldedWeights::read(std::string_view name, std::int64_t first_row, MatrixView<float> out) const {
    weights_.read(name, first_row, out);
    const auto found = changes_.find(name);
    if (found == changes_.end()) return;
    const Change& change = found->second;
    const bool vector = weights_.shape(name).size() == 1;
    const auto offset = static_cast<double>(change.offset);
    for (std::int64_t r = 0; r < out.rows(); ++r) {
        for (std::int64_t c = 0; c < out.cols(); ++c) {
            const auto row = static_cast<std::size_t>(vector ? c : first_row + r);
            double value = static_cast<double>(out(r, c)) + offset;
            if (!change.columns.empty())
                value *= static_cast<double>(change.columns[static_cast<std::size_t>(c)]);
            if (!change.divisors.empty()) value /= static_cast<double>(change.divisors[row]);
            out(r, c) = static_cast<float>(value - offset);
        }
    }
}

}  // namespace assay
