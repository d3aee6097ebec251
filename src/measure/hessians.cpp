#include "measure/hessians.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "measure/runs.h"

namespace assay {
namespace {

const BlockOp& operation_of(const Model& model, const LinearItem& item) {
    if (item.block < 0) throw InvalidArgument(item.name + " has no input inside a block");
    return model.block(item.block).ops[static_cast<std::size_t>(item.op)];
}

// No weight for the positions of windows 0, 2, …; `first` is the batch's first one. Empty weights are 1.
void clear_even_windows(const compute::Batch& rows, std::size_t first, std::vector<double>& weights) {
    weights.resize(static_cast<std::size_t>(rows.rows()), 1.0);
    for (std::int64_t w = 0; w < rows.windows(); ++w) {
        if ((first + static_cast<std::size_t>(w)) % 2 == 0)
            std::fill_n(weights.begin() + rows.window_first_row(w), rows.window_rows(w), 0.0);
    }
}

}  // namespace

std::vector<SharedInput> shared_inputs(const Model& model, std::span<const std::size_t> items) {
    std::vector<std::size_t> order(items.begin(), items.end());
    std::sort(order.begin(), order.end());
    std::vector<SharedInput> inputs;
    for (std::size_t i : order) {
        const LinearItem& item = model.items().at(i);
        const int slot = operation_of(model, item).inputs.at(0).slot;
        const auto found = std::find_if(inputs.begin(), inputs.end(), [&](const SharedInput& input) {
            return input.block == item.block && input.slot == slot;
        });
        if (found == inputs.end())
            inputs.push_back({.block = item.block, .slot = slot, .items = {i}});
        else
            found->items.push_back(i);
    }
    return inputs;
}

HessianTap::HessianTap(const Model& model, compute::Backend& backend, std::vector<SharedInput> inputs)
    : model_(model), backend_(backend) {
    for (SharedInput& input : inputs) {
        const std::size_t first = input.items.at(0);
        const LinearItem& item = model.items()[first];
        if (input.weights != nullptr && operation_of(model, item).routing >= 0)
            throw InvalidArgument(item.name + ": positions that are routed to experts cannot be weighed");
        const std::int64_t size = item.in;
        compute::SymmetricMatrix half(input.halves ? size : 0);
        entries_.push_back(
            {{std::move(input), compute::SymmetricMatrix(size), 0, std::move(half)}, first, 0});
    }
}

void HessianTap::add(const LinearItem& item, const compute::Batch& rows, const compute::Tensor& input) {
    const auto index = static_cast<std::size_t>(&item - model_.items().data());
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& entry) { return entry.first_item == index; });
    if (found == entries_.end()) return;
    std::vector<double> weights = weights_of(*found, rows);
    backend_.add_gram(rows, input, weights, found->hessian.sums);
    if (found->hessian.input.halves) {
        clear_even_windows(rows, found->windows, weights);
        backend_.add_gram(rows, input, weights, found->hessian.held_out);
    }
    found->hessian.positions += rows.rows();
    found->windows += static_cast<std::size_t>(rows.windows());
}

std::vector<double> HessianTap::weights_of(const Entry& entry, const compute::Batch& rows) const {
    const PositionWeights* given = entry.hessian.input.weights;
    std::vector<double> weights;
    for (std::int64_t w = 0; given != nullptr && w < rows.windows(); ++w) {
        const std::size_t window = entry.windows + static_cast<std::size_t>(w);
        if (window >= given->size() || std::ssize((*given)[window]) != rows.window_rows(w)) {
            throw InvalidArgument(fmt::format("{}: the weights do not fit window {} of {} positions",
                                              model_.items()[entry.first_item].name, window,
                                              rows.window_rows(w)));
        }
        weights.insert(weights.end(), (*given)[window].begin(), (*given)[window].end());
    }
    return weights;
}

std::vector<Hessian> HessianTap::take() {
    std::vector<Hessian> hessians;
    for (Entry& entry : entries_) hessians.push_back(std::move(entry.hessian));
    entries_.clear();
    return hessians;
}

std::vector<Hessian> measure_hessians(const Model& model, const Engine& engine,
                                      std::span<const EvaluationWindow> windows,
                                      std::span<const std::size_t> items, const PositionWeights* weights) {
    if (windows.empty()) throw InvalidArgument("statistics of inputs need windows");
    std::vector<SharedInput> inputs = shared_inputs(model, items);
    for (SharedInput& input : inputs) input.weights = weights;
    HessianTap tap(model, engine.backend, std::move(inputs));
    const std::size_t group = windows_per_group(model, engine.backend, windows, 1, engine.limits.state_bytes);
    for (std::size_t first = 0; first < windows.size(); first += group) {
        const auto part = windows.subspan(first, std::min(group, windows.size() - first));
        run_pass(model, engine, make_chunks(part, engine.limits.chunk_rows), {.tap = &tap});
    }
    return tap.take();
}

}  // namespace assay
