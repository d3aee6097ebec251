#include "treat/input_ranges.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/error.h"
#include "measure/activations.h"

namespace assay {
namespace {

bool sees_all_rows(const Model& model, std::size_t item) {
    const LinearItem& linear = model.items()[item];
    return model.block(linear.block).ops[static_cast<std::size_t>(linear.op)].routing < 0;
}

// Of an expert's own values no reader sees more than the expert's rows: any one will do.
std::size_t witness_of(const Model& model, const Fold& fold) {
    const auto found = std::find_if(fold.readers.begin(), fold.readers.end(),
                                    [&](std::size_t i) { return sees_all_rows(model, i); });
    return found == fold.readers.end() ? fold.readers.front() : *found;
}

}  // namespace

std::vector<FoldedInput> folded_inputs(const Model& model, std::span<const std::size_t> items) {
    const std::set<std::size_t> wanted(items.begin(), items.end());
    std::set<std::int64_t> blocks;
    for (std::size_t i : wanted) {
        if (model.items().at(i).block < 0)
            throw InvalidArgument(model.items()[i].name + " has no input inside a block");
        blocks.insert(model.items()[i].block);
    }
    std::vector<FoldedInput> inputs;
    for (std::int64_t block : blocks) {
        for (Fold& fold : find_folds(model, block)) {
            if (std::none_of(fold.readers.begin(), fold.readers.end(),
                             [&](std::size_t i) { return wanted.contains(i); }))
                continue;
            FoldedInput input{.fold = {}, .witness = witness_of(model, fold), .linears = {}};
            for (std::size_t i : fold.readers) {
                if (model.items()[i].role == LinearItem::Role::kBlock) input.linears.push_back(i);
            }
            input.fold = std::move(fold);
            inputs.push_back(std::move(input));
        }
    }
    return inputs;
}

std::vector<float> weight_ranges(const Model& model, const FoldedInput& input) {
    std::vector<float> ranges(static_cast<std::size_t>(model.items()[input.witness].in), 0.0f);
    for (std::size_t i : input.linears) {
        const std::string& name = model.items()[i].name;
        const Matrix<float> w = read_weight(model.weights(), name);
        model.weights().release(name + ".weight");
        for (std::int64_t r = 0; r < w.rows(); ++r) {
            const auto row = w.row(r);
            for (std::size_t c = 0; c < row.size(); ++c) ranges[c] = std::max(ranges[c], std::abs(row[c]));
        }
    }
    return ranges;
}

std::vector<InputRange> input_ranges(const Model& model, const Engine& engine,
                                     std::span<const EvaluationWindow> windows,
                                     std::span<const FoldedInput> inputs) {
    std::vector<std::size_t> witnesses;
    for (const FoldedInput& input : inputs) witnesses.push_back(input.witness);
    const Activations seen = measure_activations(model, engine, windows, witnesses);
    std::vector<InputRange> ranges;
    for (std::size_t witness : witnesses)
        ranges.push_back({seen.input(witness).channel_max, seen.input(witness).rows()});
    return ranges;
}

void share_rows(const Fold& fold, std::vector<float>& values) {
    std::map<std::int64_t, float> largest;
    for (std::size_t c = 0; c < values.size(); ++c)
        largest[fold.rows[c]] = std::max(largest[fold.rows[c]], values[c]);
    for (std::size_t c = 0; c < values.size(); ++c) values[c] = largest[fold.rows[c]];
}

}  // namespace assay
