#include "measure/activations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "base/error.h"
#include "measure/runs.h"
#include "measure/window_groups.h"

namespace assay {
namespace {

const BlockOp& operation(const Model& model, const LinearItem& item) {
    return model.block(item.block).ops[static_cast<std::size_t>(item.op)];
}

// A tensor for each output, and one for each slot that is read.
Activations layout(const Model& model, std::span<const std::size_t> items) {
    Activations out;
    std::map<std::pair<std::int64_t, int>, std::size_t> inputs;  // by block and slot
    for (const std::size_t i : items) {
        const LinearItem& item = model.items().at(i);
        if (item.block < 0) throw InvalidArgument(item.name + " has no input inside a block");
        const auto [place, is_new] =
            inputs.try_emplace({item.block, operation(model, item).inputs[0].slot}, out.tensors.size());
        if (is_new) out.tensors.emplace_back(item.in);
        out.items[i] = {place->second, out.tensors.size()};
        out.tensors.emplace_back(item.out);
    }
    return out;
}

class ActivationTap final : public Tap {
  public:
    // The pass is over `windows`, of which the first is number `first` of all.
    ActivationTap(const Model& model, compute::Backend& backend, std::span<const EvaluationWindow> windows,
                  std::int64_t first, Activations& all)
        : model_(model), backend_(backend), windows_(windows), first_(first), all_(all) {}

    void routed(int slot, const compute::Routing& routing) override { routings_[slot] = routing; }

    void linear(const LinearItem& item, const compute::Batch& rows, const compute::Tensor& input,
                const compute::Tensor& output) override {
        const auto found = all_.items.find(static_cast<std::size_t>(&item - model_.items().data()));
        if (found == all_.items.end()) return;
        const BlockOp& op = operation(model_, item);
        expert_rows_ = nullptr;
        if (op.routing >= 0) expert_rows_ = &routings_.at(op.routing).experts[op.expert].rows;
        if (inputs_seen_.insert(found->second.input).second)
            add(item, "input", rows, input, all_.tensors[found->second.input]);
        add(item, "output", rows, output, all_.tensors[found->second.output]);
    }

    void block(std::int64_t, const TokenChunk& chunk, const compute::Tensor&) override {
        inputs_seen_.clear();
        chunk_window_ = chunk.first_window + chunk.rows.windows();
        if (chunk_window_ == std::ssize(windows_)) chunk_window_ = 0;  // the next block begins
    }

  private:
    // The windows of one chunk.
    void add(const LinearItem& item, const char* side, const compute::Batch& rows,
             const compute::Tensor& values, TensorActivations& tensor) {
        const auto sums = backend_.activation_sums(rows, values);
        std::int64_t chunk_row = 0;  // of the window's first position
        for (std::int64_t w = 0; w < rows.windows(); ++w) {
            const compute::ActivationSums& window = sums[static_cast<std::size_t>(w)];
            const std::int64_t number = chunk_window_ + w;
            const std::vector<std::int64_t> massive = tensor.add(window);
            if (!std::isfinite(window.fourths) || !std::isfinite(tensor.sums.squares)) {
                throw NumericError(
                    fmt::format("{}: its {} in window {} holds NaN, Inf or numbers beyond 1e19", item.name,
                                side, first_ + number));
            }
            for (const std::int64_t row : massive) {
                const std::int64_t at = rows.window_first_row(w) + row;
                const std::int64_t position = expert_rows_ == nullptr ? row : (*expert_rows_)[at] - chunk_row;
                if (position == 0) ++tensor.massive_first_tokens;
                if (tensor.is_large(static_cast<double>(window.row_max[static_cast<std::size_t>(row)])))
                    tensor.keep(largest_of(values, at, {.window = first_ + number, .position = position}));
            }
            chunk_row += std::ssize(windows_[static_cast<std::size_t>(number)].tokens);
        }
    }

    // Looks for the row's largest number.
    MassiveToken largest_of(const compute::Tensor& values, std::int64_t row, MassiveToken token) {
        compute::Tensor one = backend_.allocate(1, values.cols());
        backend_.copy_rows(values, row, one, 0, 1);
        Matrix<float> numbers(1, values.cols());
        backend_.download(one, numbers.view());
        const auto top = std::max_element(numbers.values().begin(), numbers.values().end(),
                                          [](float a, float b) { return std::abs(a) < std::abs(b); });
        token.channel = top - numbers.values().begin();
        token.value = static_cast<double>(*top);
        return token;
    }

    const Model& model_;
    compute::Backend& backend_;
    std::span<const EvaluationWindow> windows_;
    std::int64_t first_;
    Activations& all_;
    std::map<int, compute::Routing> routings_;  // of the chunk's block, by slot
    const std::vector<std::int64_t>* expert_rows_ = nullptr;
    std::set<std::size_t> inputs_seen_;  // of this chunk and block
    std::int64_t chunk_window_ = 0;
};

}  // namespace

Activations measure_activations(const Model& model, const Engine& engine,
                                std::span<const EvaluationWindow> windows,
                                std::span<const std::size_t> items) {
    if (windows.empty()) throw InvalidArgument("activations need windows");
    Activations all = layout(model, items);
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

std::int64_t activation_bytes(const Model& model, std::span<const std::size_t> items) {
    constexpr std::int64_t kChannelBytes = 4 + 8 + 4 + 4;
    constexpr std::int64_t kPartBytes = 3 * 4 * 8;  // numbers to be kept, while they are written
    std::int64_t channels = 0;
    for (const TensorActivations& tensor : layout(model, items).tensors)
        channels += std::ssize(tensor.channel_max);
    return channels * (kChannelBytes + kPartBytes);
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
