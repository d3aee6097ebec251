#include "measure/activations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>
#include <utility>

#include "base/error.h"
#include "measure/logit_activations.h"
#include "measure/runs.h"
#include "measure/window_groups.h"

namespace assay {
namespace {

const BlockOp& operation(const Model& model, const LinearItem& item) {
    return model.block(item.block).ops[static_cast<std::size_t>(item.op)];
}

// A tensor for each output, and one for each input, which linears may share.
class Layout {
  public:
    Layout(const Model& model, ActivationSides wanted) : model_(model), wanted_(wanted) {}

    void add(std::size_t index) {
        const LinearItem& item = model_.items().at(index);
        Activations::Sides& sides = out_.items[index];
        if (item.block >= 0) {
            const auto [place, is_new] =
                inputs_.try_emplace({item.block, operation(model_, item).inputs[0].slot}, 0);
            if (is_new) place->second = tensor(item.in);
            sides.input = place->second;
        } else if (changes_head(item)) {
            sides.input = tensor(item.in);
        }
        if (wanted_ == ActivationSides::kInputs) return;
        sides.output = tensor(sides.input ? item.out : item.in);
        if (sides.input && changes_embedding(item)) sides.embedding = tensor(item.in);
    }
    Activations take() { return std::move(out_); }

  private:
    std::size_t tensor(std::int64_t channels) {
        out_.tensors.emplace_back(channels);
        return out_.tensors.size() - 1;
    }

    const Model& model_;
    ActivationSides wanted_;
    Activations out_;
    std::map<std::pair<std::int64_t, int>, std::size_t> inputs_;  // by block and slot
};

Activations layout(const Model& model, std::span<const std::size_t> items, ActivationSides sides) {
    Layout layout(model, sides);
    for (const std::size_t i : items) layout.add(i);
    return layout.take();
}

// One side of an item: its name for messages, and what its windows are added to.
struct Side {
    const LinearItem& item;
    const char* name;
    TensorActivations& tensor;
};

class ActivationTap final : public Tap {
  public:
    // The pass is over `windows`, of which the first is number `first` of all.
    ActivationTap(const Model& model, compute::Backend& backend, std::span<const EvaluationWindow> windows,
                  std::int64_t first, Activations& all)
        : model_(model), backend_(backend), windows_(windows), first_(first), all_(all) {
        if (sides_of(model.head_item()) != nullptr) logits_.emplace(model, backend);
    }

    void routed(int slot, const compute::Routing& routing) override { routings_[slot] = routing; }

    void linear(const LinearItem& item, const compute::Batch& rows, const compute::Tensor& input,
                const compute::Tensor& output) override {
        const Activations::Sides* sides = sides_of(item);
        if (sides == nullptr) return;
        const BlockOp& op = operation(model_, item);
        expert_rows_ = nullptr;
        if (op.routing >= 0) expert_rows_ = &routings_.at(op.routing).experts[op.expert].rows;
        if (inputs_seen_.insert(*sides->input).second)
            add({item, "input", all_.tensors[*sides->input]}, rows, input);
        if (sides->output) add({item, "output", all_.tensors[*sides->output]}, rows, output);
    }

    void block(std::int64_t block, const TokenChunk& chunk, const compute::Tensor& state) override {
        expert_rows_ = nullptr;
        if (block < 0) add_embedding(chunk, state);
        if (block == model_.config().layers - 1 && logits_) add_output_layer(chunk, state);
        inputs_seen_.clear();
        chunk_window_ = chunk.first_window + chunk.rows.windows();
        if (chunk_window_ == std::ssize(windows_)) chunk_window_ = 0;  // the next block begins
    }

  private:
    // Null where the item is not asked for.
    const Activations::Sides* sides_of(const LinearItem& item) const {
        const auto found = all_.items.find(static_cast<std::size_t>(&item - model_.items().data()));
        return found == all_.items.end() ? nullptr : &found->second;
    }

    void add_embedding(const TokenChunk& chunk, const compute::Tensor& state) {
        const LinearItem& item = model_.embedding_item();
        const Activations::Sides* sides = sides_of(item);
        if (sides == nullptr || !sides->output) return;
        const bool tied = sides->embedding.has_value();
        add({item, tied ? "embedding" : "output", all_.tensors[tied ? *sides->embedding : *sides->output]},
            chunk.rows, state);
    }

    // Some windows at a time, as each has sums for every token of the vocabulary.
    void add_output_layer(const TokenChunk& chunk, const compute::Tensor& state) {
        const std::int64_t before = chunk_window_;
        for (std::int64_t w = 0; w < chunk.rows.windows(); w += kLogitWindows) {
            std::vector<std::int64_t> lengths;
            for (std::int64_t i = w; i < std::min(w + kLogitWindows, chunk.rows.windows()); ++i)
                lengths.push_back(chunk.rows.window_rows(i));
            const compute::Batch rows(std::move(lengths));
            const compute::Tensor x = logits_->input(rows, state, chunk.rows.window_first_row(w));
            chunk_window_ = before + w;
            add_logits(rows, x);
        }
        chunk_window_ = before;
    }

    void add_logits(const compute::Batch& rows, const compute::Tensor& x) {
        const LinearItem& item = model_.head_item();
        const Activations::Sides& sides = *sides_of(item);
        add({item, "input", all_.tensors[*sides.input]}, rows, x);
        if (!sides.output) return;
        add({item, "output", all_.tensors[*sides.output]}, rows, logits_->sums(rows, x),
            [&](std::int64_t row) { return logits_->largest(row); });
    }

    void add(const Side& side, const compute::Batch& rows, const compute::Tensor& values) {
        add(side, rows, backend_.activation_sums(rows, values),
            [&](std::int64_t row) { return largest_of_row(backend_, values, row); });
    }

    // The windows of one chunk; largest(row) finds the largest number of a row of theirs.
    void add(const Side& side, const compute::Batch& rows, const std::vector<compute::ActivationSums>& sums,
             const std::function<Logit(std::int64_t row)>& largest) {
        TensorActivations& tensor = side.tensor;
        std::int64_t chunk_row = 0;  // of the window's first position
        for (std::int64_t w = 0; w < rows.windows(); ++w) {
            const compute::ActivationSums& window = sums[static_cast<std::size_t>(w)];
            const std::int64_t number = chunk_window_ + w;
            const std::vector<std::int64_t> massive = tensor.add(window);
            if (!std::isfinite(window.fourths) || !std::isfinite(tensor.sums.squares)) {
                throw NumericError(
                    fmt::format("{}: its {} in window {} holds NaN, Inf or numbers beyond 1e19",
                                side.item.name, side.name, first_ + number));
            }
            for (const std::int64_t row : massive) {
                const std::int64_t at = rows.window_first_row(w) + row;
                const std::int64_t position = expert_rows_ == nullptr ? row : (*expert_rows_)[at] - chunk_row;
                if (position == 0) ++tensor.massive_first_tokens;
                if (!tensor.is_large(static_cast<double>(window.row_max[static_cast<std::size_t>(row)])))
                    continue;
                const Logit top = largest(at);
                tensor.keep({.window = first_ + number,
                             .position = position,
                             .channel = top.token,
                             .value = static_cast<double>(top.value)});
            }
            chunk_row += std::ssize(windows_[static_cast<std::size_t>(number)].tokens);
        }
    }

    const Model& model_;
    compute::Backend& backend_;
    std::span<const EvaluationWindow> windows_;
    std::int64_t first_;
    Activations& all_;
    std::optional<LogitActivations> logits_;    // where the output layer is asked for
    std::map<int, compute::Routing> routings_;  // of the chunk's block, by slot
    const std::vector<std::int64_t>* expert_rows_ = nullptr;
    std::set<std::size_t> inputs_seen_;  // of this chunk and block
    std::int64_t chunk_window_ = 0;
};

}  // namespace

Activations measure_activations(const Model& model, const Engine& engine,
                                std::span<const EvaluationWindow> windows, std::span<const std::size_t> items,
                                ActivationSides sides) {
    if (windows.empty()) throw InvalidArgument("activations need windows");
    Activations all = layout(model, items, sides);
    const std::size_t group = windows_per_group(model, engine.backend, windows, 1, engine.limits.state_bytes);
    // A group goes on from the sums of those before it: its numbers are the sums so far.
    for_each_group(
        engine, windows, group, 1, "activations",
        [&](std::span<const EvaluationWindow> part) {
            ActivationTap tap(model, engine.backend, part, part.data() - windows.data(), all);
            run_pass(model, engine, make_chunks(part, engine.limits.chunk_rows),
                     {.tap = &tap, .residuals_apart = true});
            std::vector<double> numbers;
            if (engine.parts == nullptr) return numbers;
            for (const TensorActivations& tensor : all.tensors) append_numbers(tensor, numbers);
            return numbers;
        },
        [&](NumberReader& numbers, std::int64_t) {
            if (engine.parts == nullptr) return;
            for (TensorActivations& tensor : all.tensors) read_numbers(numbers, tensor);
        });
    return all;
}

Workload activations_workload(const Model& model, const compute::Backend& backend,
                              std::span<const EvaluationWindow> windows, std::span<const std::size_t> items,
                              ActivationSides sides) {
    constexpr std::int64_t kChannelBytes = 4 + 8 + 4 + 4;
    constexpr std::int64_t kPartBytes = 3 * 4 * 8;  // numbers to be kept, while they are written
    constexpr std::int64_t kChunkRows = 2048;       // fit_memory()'s largest
    std::int64_t channels = 0, tokens = 0;
    for (const EvaluationWindow& window : windows) tokens += std::ssize(window.tokens);
    for (const TensorActivations& tensor : layout(model, items, sides).tensors)
        channels += std::ssize(tensor.channel_max);
    Workload work{.model = &model, .windows = windows, .predicts = false};
    work.tap_bytes = channels * (kChannelBytes + kPartBytes);
    for (const std::size_t i : items) {
        if (sides == ActivationSides::kInputs || !changes_head(model.items()[i])) continue;
        work.predicts = true;  // as slow as scoring
        work.tap_bytes +=
            logit_bytes(model, backend, std::max(std::min(kChunkRows, tokens), longest_window(windows)));
    }
    return work;
}

std::vector<std::int64_t> most_energetic(std::span<const double> energies, std::int64_t count) {
    std::vector<std::int64_t> order(energies.size());
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
        return energies[static_cast<std::size_t>(a)] > energies[static_cast<std::size_t>(b)];
    });
    order.resize(static_cast<std::size_t>(std::min<std::int64_t>(count, std::ssize(order))));
    std::sort(order.begin(), order.end());
    return order;
}

}  // namespace assay
