#include "measure/run_cost.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/resident.h"
#include "measure/hessians.h"
#include "measure/runs.h"
#include "measure/treatment_scores.h"
#include "model/folding.h"
#include "model/reverse_pass.h"

namespace assay {
namespace {

constexpr std::int64_t kLibraryReserve = std::int64_t{48} << 20;  // stacks, scratch, records
constexpr std::int64_t kScoreBytes =
    80;  // sums and scores of one token and run (compute::LogitSums, TokenScores)
constexpr std::int64_t kPanelBytes = 64 * 8;  // of one column and the rows that a thread rounds together

std::int64_t block_elements(const Model& model, std::int64_t block, std::int64_t* largest) {
    std::int64_t sum = 0;
    const BlockProgram& program = model.block(block);
    for (std::size_t i = 0; i < program.ops.size(); ++i) {
        if (program.ops[i].kind != BlockOpKind::kLinear) continue;
        const LinearItem& item = model.item_of(block, i);
        sum += item.out * item.in;
        *largest = std::max(*largest, item.out * item.in);
    }
    return sum;
}

std::vector<std::size_t> block_items(const Model& model, std::int64_t block) {
    std::vector<std::size_t> items;
    for (std::size_t i = 0; i < model.items().size(); ++i) {
        if (model.items()[i].block == block && model.items()[i].role == LinearItem::Role::kBlock)
            items.push_back(i);
    }
    return items;
}

// Packed block, swapped operands that start in it, and one f32 copy per loading thread.
std::int64_t block_bytes(const Workload& work, const compute::Backend& backend, int threads) {
    const Model& model = *work.model;
    const std::int64_t element = backend.weight_bytes();
    std::vector<std::int64_t> swapped(static_cast<std::size_t>(model.config().layers), 0);
    for (std::size_t f : work.forks) {
        const LinearItem& item = model.items()[f];
        if (item.block >= 0) swapped[static_cast<std::size_t>(item.block)] += item.out * item.in;
    }
    std::int64_t most = 0;
    for (std::int64_t b = 0; b < model.config().layers; ++b) {
        std::int64_t largest = 0;
        const std::int64_t own = block_elements(model, b, &largest) + swapped[static_cast<std::size_t>(b)];
        // The f32 copy, and the stored bytes that are mapped meanwhile.
        most = std::max(most, own * element + threads * largest * (4 + 4));
    }
    return most;
}

std::int64_t runs_of(const Workload& work) {
    return work.runs + static_cast<std::int64_t>(work.forks.size());
}

std::int64_t group_tokens(const Workload& work, const MemoryLimits& limits, const compute::Backend& backend) {
    return group_size(*work.model, backend, work.windows, work.shared, runs_of(work), limits).rows;
}

std::int64_t head_copies(const Workload& work) {
    std::int64_t copies = 1;
    for (std::size_t f : work.forks) copies += changes_head(work.model->items()[f]) ? 1 : 0;
    return std::max(copies, work.runs);
}

std::string gib(std::int64_t bytes) {
    return fmt::format("{:.2f}", static_cast<double>(bytes) / static_cast<double>(std::int64_t{1} << 30));
}

[[noreturn]] void refuse(const MemoryNeed& least, std::int64_t budget) {
    throw InvalidArgument(
        fmt::format("--memory {} GiB is too little: at least {} GiB are needed (program {}, one block {}, "
                    "its activations {}, "
                    "hidden states of one window {}, a part of the output layer {}); shorter windows or "
                    "fewer linears need less",
                    gib(budget), gib(least.total()), gib(least.base), gib(least.block),
                    gib(least.activations), gib(least.states), gib(least.head)));
}

// Changes of one weight that are scored together: as many as `head_bytes` allow, at least one; each is there
// as f32 and packed, beside the weight itself. Attribution has one of them beside a product in double.
std::int64_t change_bytes(const Workload& work, const MemoryLimits& limits) {
    std::int64_t largest = compute::Backend::kHeadPartTokens * work.model->config().hidden;
    for (std::int64_t b = 0; b < work.model->config().layers; ++b) block_elements(*work.model, b, &largest);
    const std::int64_t scored = std::clamp(limits.head_bytes, 8 * largest, 8 * largest * work.scored);
    return 4 * largest + (work.attributed ? std::max(scored, 12 * largest) : scored);
}

// Of a reverse pass: a block packed for both directions, its values and their gradients, the states between
// the blocks (in memory, or in a file), a slice of the output layer with its logits.
MemoryNeed reverse_need(const Workload& work, const compute::Backend& backend, int threads,
                        const MemoryLimits& limits, std::int64_t base) {
    const Model& model = *work.model;
    const std::int64_t element = backend.element_bytes(), hidden = model.config().hidden;
    const std::int64_t rows = score_chunk_rows(model, backend, limits, work.windows);
    MemoryNeed need;
    need.base = base;
    std::int64_t transposed = 0, largest = 0;
    for (std::int64_t b = 0; b < model.config().layers; ++b)
        transposed = std::max(transposed, block_elements(model, b, &largest));
    need.block = block_bytes(work, backend, threads) + transposed * backend.weight_bytes() +
                 change_bytes(work, limits);
    need.activations = rows * reverse_row_bytes(model, backend);
    need.states = pass_state_bytes(model, backend, rows, 1) +
                  std::min(limits.state_bytes, (model.config().layers + 1) * rows * hidden * element);
    constexpr std::int64_t kSlice = compute::Backend::kHeadPartTokens;
    need.head =
        3 * kSlice * hidden * element + rows * (kSlice + 4 * hidden) * element + change_bytes(work, limits);
    need.scores = rows * kScoreBytes;
    return need;
}

// Bytes of the statistics of the block's largest fold.
std::int64_t tied_statistics(const Model& model, std::int64_t block, std::span<const SharedInput> inputs) {
    std::int64_t most = 0;
    for (const Fold& fold : find_folds(model, block)) {
        std::int64_t own = 0;
        for (const SharedInput& input : inputs) {
            const std::size_t first = input.items.front();
            if (std::binary_search(fold.readers.begin(), fold.readers.end(), first))
                own += compute::SymmetricMatrix::bytes(model.items()[first].in);
        }
        most = std::max(most, own);
    }
    return most;
}

std::int64_t output_factor_bytes(const Model& model, std::int64_t block) {
    std::int64_t bytes = 0;
    for (std::size_t i : block_items(model, block))
        bytes += compute::SymmetricMatrix::bytes(model.items()[i].out);
    return bytes;
}

// Bytes of the factors of outputs that are there at once, of one block or of as many as `head_bytes` hold; of
// all; of the largest, which is there once more while it is factored.
struct OutputFactors {
    std::int64_t held = 0, all = 0, largest = 0;

    OutputFactors(const Model& model, const MemoryLimits& limits) {
        std::int64_t most = 0;
        for (std::int64_t b = 0; b < model.config().layers; ++b) {
            const std::int64_t own = output_factor_bytes(model, b);
            for (std::size_t i : block_items(model, b))
                largest = std::max(largest, compute::SymmetricMatrix::bytes(model.items()[i].out));
            most = std::max(most, own);
            all += own;
        }
        held = std::clamp(limits.head_bytes, most, std::max(most, all));
    }
};

Workload reverse_of(const Workload& work) {
    return score_workload(*work.model, 1, work.windows);
}

// What reverse passes need beside the factors, which stay.
void add_reverse_pass(const MemoryNeed& reverse, std::int64_t factors, MemoryNeed& need) {
    need.block = std::max(need.block, reverse.block) + factors;
    need.activations = std::max(need.activations, reverse.activations);
    need.states = std::max(need.states, reverse.states);
    need.head = reverse.head + factors;
    need.scores = reverse.scores;
}

// Of treating a model block after block: the block's statistics, as many at once as fit, one factored copy, a
// weight with what becomes of it, and all windows' states (in memory, or in a file).
MemoryNeed calibration_need(const Workload& work, const compute::Backend& backend, int threads,
                            const MemoryLimits& limits, std::int64_t base) {
    const Model& model = *work.model;
    const std::int64_t hidden = model.config().hidden;
    std::int64_t tokens = 0, largest = 0, statistics = 0, widest = 0, codes = 0, least = 0;
    for (const EvaluationWindow& window : work.windows) tokens += std::ssize(window.tokens);
    for (std::int64_t b = 0; b < model.config().layers; ++b) {
        std::int64_t own = 0;
        const auto inputs = shared_inputs(model, block_items(model, b));
        for (const SharedInput& input : inputs) {
            const std::int64_t in = model.items()[input.items.front()].in;
            widest = std::max(widest, in);
            own += compute::SymmetricMatrix::bytes(in) * (work.gradients ? std::ssize(input.items) : 1) *
                   (work.halves ? 2 : 1);
        }
        statistics = std::max(statistics, own);
        least = std::max(least, work.scalings > 0 ? tied_statistics(model, b, inputs) : 0);
        codes = std::max(codes, block_elements(model, b, &largest));
    }
    const std::int64_t one = compute::SymmetricMatrix::bytes(widest) * (work.halves ? 2 : 1);
    least = std::max(least, one);
    const std::int64_t rows = std::min(std::max(limits.chunk_rows, longest_window(work.windows)), tokens);
    const bool scaled = work.scalings > 0;  // a factor and a weight are there once more, scaled
    MemoryNeed need;
    need.base = base;
    need.block = block_bytes(work, backend, threads) +
                 std::clamp(limits.head_bytes, least, std::max(least, statistics)) + (scaled ? 2 : 1) * one +
                 2 * codes + (work.gradients ? 25 : (scaled ? 13 : 9)) * largest +
                 threads * widest * kPanelBytes;
    need.activations = rows * widest_slots(model) * backend.element_bytes();
    need.states =
        2 * rows * hidden * 4 + std::min(limits.state_bytes, tokens * hidden * backend.element_bytes());
    if (work.gradients) {
        const OutputFactors factors(model, limits);
        add_reverse_pass(reverse_need(reverse_of(work), backend, threads, limits, base),
                         factors.held + factors.largest, need);
    }
    return need;
}

// `base` is what the process holds before.
MemoryNeed need_of(const Workload& work, const compute::Backend& backend, int threads,
                   const MemoryLimits& limits, std::int64_t base) {
    if (work.scored > 0) return reverse_need(work, backend, threads, limits, base);
    if (work.calibrated) return calibration_need(work, backend, threads, limits, base);
    const Model& model = *work.model;
    const std::int64_t longest = longest_window(work.windows), element = backend.element_bytes();
    const std::int64_t runs = runs_of(work);
    const std::int64_t tokens = group_tokens(work, limits, backend);
    const std::int64_t rows = std::min(std::max(limits.chunk_rows, longest), tokens);
    MemoryNeed need;
    need.base = base + work.tap_bytes;
    need.block = block_bytes(work, backend, threads);
    need.activations = rows * widest_slots(model) * element * (work.forks.empty() ? 1 : 2);
    need.states = pass_state_bytes(model, backend, tokens, runs);
    if (!work.predicts) return need;
    const std::int64_t heads = head_copies(work);
    need.head = head_part_tokens(model, backend, heads, limits.head_bytes) * model.config().hidden * element *
                (heads + 1);
    for (std::size_t f : work.forks) {  // treated output layers are read whole
        if (changes_head(model.items()[f]))
            need.head += model.config().vocabulary * model.config().hidden * 4;
    }
    need.scores = tokens * (runs + runs / 32 + 1) * kScoreBytes;
    return need;
}

std::int64_t base_bytes() {
    return resident_bytes() + kLibraryReserve;
}

}  // namespace

Workload sweep_workload(const Model& model, std::vector<std::size_t> items,
                        std::span<const EvaluationWindow> windows) {
    items.push_back(items.front());
    return {&model, 1, std::move(items), windows};
}

Workload score_workload(const Model& model, std::size_t treatments, std::span<const EvaluationWindow> windows,
                        bool attributed) {
    return {&model, 1, {}, windows, static_cast<std::int64_t>(treatments), attributed};
}

MemoryNeed memory_need(const Workload& work, const compute::Backend& backend, int threads,
                       const MemoryLimits& limits) {
    return need_of(work, backend, threads, limits, base_bytes());
}

MemoryLimits fit_memory(const Workload& work, const compute::Backend& backend, int threads,
                        std::int64_t budget) {
    MemoryLimits limits{.state_bytes = 1, .head_bytes = 1, .chunk_rows = 1};
    const std::int64_t base = base_bytes();
    const MemoryNeed least = need_of(work, backend, threads, limits, base);
    if (least.total() > budget) refuse(least, budget);
    const auto fits = [&](const MemoryLimits& tried) {
        return need_of(work, backend, threads, tried, base).total() <= budget;
    };
    // Chunks first: a block's weights are then walked in fewer, larger steps.
    // Each one repeats the prefixes of the windows that it shares, so those may be longer.
    const std::int64_t longest_chunk = work.shared.empty() ? 2048 : 8192;
    for (std::int64_t rows = 256; rows <= longest_chunk; rows *= 2) {
        MemoryLimits tried = limits;
        tried.chunk_rows = rows;
        if (fits(tried)) limits = tried;
    }
    // Doubling steps, then halves: groups of windows take what is left, parts of the head as well.
    const auto grow = [&](std::int64_t MemoryLimits::*field) {
        for (std::int64_t step = std::int64_t{1} << 44; step >= (std::int64_t{1} << 20); step /= 2) {
            MemoryLimits tried = limits;
            tried.*field += step;
            if (fits(tried)) limits = tried;
        }
    };
    grow(&MemoryLimits::head_bytes);
    limits.head_bytes = std::min(limits.head_bytes, std::int64_t{1} << 28);  // larger parts gain nothing
    grow(&MemoryLimits::state_bytes);
    grow(&MemoryLimits::head_bytes);
    return limits;
}

double linear_flops(const Model& model, std::int64_t block, std::int64_t tokens) {
    const ExpertsConfig& experts = model.config().experts;
    const BlockProgram& program = model.block(block);
    double flops = 0;
    for (std::size_t i = 0; i < program.ops.size(); ++i) {
        if (program.ops[i].kind != BlockOpKind::kLinear) continue;
        const LinearItem& item = model.item_of(block, i);
        const double share = program.ops[i].routing < 0 ? 1
                                                        : static_cast<double>(experts.per_token) /
                                                              static_cast<double>(experts.count);
        flops += 2 * share * static_cast<double>(item.out) * static_cast<double>(item.in);
    }
    return flops * static_cast<double>(tokens);
}

double attention_flops(const Model& model, std::int64_t block, std::int64_t tokens) {
    const auto n = static_cast<double>(tokens);
    const std::int64_t window = model.block(block).window;
    const double seen = window > 0 && window < tokens ? static_cast<double>(window) : (n + 1) / 2;
    return 4 * n * seen * static_cast<double>(model.config().heads * model.config().head_dim);
}

namespace {

// Of treating a model block after block: each block but for its last products twice, statistics (half a
// product's operations, at some 60 % of its speed), and the rounding with its factors in double; each scaling
// that is tried takes one product of errors with their factor (with the rounding some 40 % of a product's
// speed).
double calibration_seconds(const Workload& work, const Rates& rates) {
    const Model& model = *work.model;
    double seconds = 0, tokens = 0;
    for (const EvaluationWindow& window : work.windows) {
        const auto n = static_cast<std::int64_t>(window.tokens.size());
        tokens += static_cast<double>(n);
        for (std::int64_t b = 0; b < model.config().layers; ++b)
            seconds += 1.75 * linear_flops(model, b, n) / rates.linear_flops +
                       2 * attention_flops(model, b, n) / rates.attention_flops;
    }
    const auto cubed = [](double n) { return n * n * n; };
    for (std::int64_t b = 0; b < model.config().layers; ++b) {
        const auto items = block_items(model, b);
        for (const SharedInput& input : shared_inputs(model, items)) {
            const auto in = static_cast<double>(model.items()[input.items.front()].in);
            double out = 0;
            for (std::size_t i : input.items) out += static_cast<double>(model.items()[i].out);
            const auto copies = static_cast<double>(work.gradients ? std::ssize(input.items) : 1);
            const auto tried = static_cast<double>(work.scalings);
            const double sums = work.halves ? 2 : 1, roundings = work.halves ? 7 : 1;
            seconds += (sums * copies * in * in * tokens / 0.6 +
                        roundings * (copies * cubed(in) / 3 + 2 * in * in * out) / 0.2 +
                        tried * in * in * out / 0.4) /
                       rates.linear_flops;
        }
        for (std::size_t i : items) {
            if (!work.gradients) break;
            const auto out = static_cast<double>(model.items()[i].out),
                       in = static_cast<double>(model.items()[i].in);
            seconds +=
                (out * out * tokens / 0.6 + (cubed(out) / 3 + 2 * out * out * in) / 0.2) / rates.linear_flops;
        }
    }
    return seconds;
}

}  // namespace

double predict_seconds(const Workload& work, const Rates& rates, const MemoryLimits& limits,
                       const compute::Backend& backend) {
    if (work.calibrated && work.gradients) {
        const OutputFactors factors(*work.model, limits);
        return calibration_seconds(work, rates) +
               static_cast<double>(ceil_div(factors.all, factors.held)) *
                   predict_seconds(reverse_of(work), rates, limits, backend);
    }
    if (work.calibrated) return calibration_seconds(work, rates);
    const Model& model = *work.model;
    const std::int64_t layers = model.config().layers;
    // A reverse pass computes each block's forward twice, its linears backwards and once more per block of
    // positions, and some 20 % of them for each treatment, twice more where it is attributed; attention
    // backwards takes 2.5 of forwards.
    const auto scored_changes = static_cast<double>(work.scored);
    const double heads = work.scored > 0 ? 4 + 0.2 * scored_changes : 1;
    const double linears = heads + (work.attributed ? 2 * scored_changes : 0);
    const double attentions = work.scored > 0 ? 4.5 : 1;
    const auto errors = static_cast<double>(work.errors);
    double compute = 0, elements = 0, tokens = 0, scored = 0;
    std::vector<double> block_seconds(static_cast<std::size_t>(layers), 0);
    for (std::int64_t b = 0; b < layers; ++b) {
        double& own = block_seconds[static_cast<std::size_t>(b)];
        double products = 0;  // of each linear once
        for (std::size_t w = 0; w < work.windows.size(); ++w) {
            const auto n = std::ssize(work.windows[w].tokens);
            const std::int64_t known = work.shared.empty() ? 0 : work.shared[w];
            const double once = linear_flops(model, b, n - known) / rates.linear_flops;
            products += once;
            own += linears * once + attentions *
                                        (attention_flops(model, b, n) - attention_flops(model, b, known)) /
                                        rates.attention_flops;
        }
        compute += own * static_cast<double>(work.runs + (work.errors > 0 ? 1 : 0)) + products * errors;
        std::int64_t largest = 0;
        elements += static_cast<double>(block_elements(model, b, &largest));
    }
    for (std::size_t f : work.forks) {
        const std::int64_t first = std::max<std::int64_t>(model.items()[f].block, 0);
        if (model.items()[f].role == LinearItem::Role::kHead) continue;
        for (std::int64_t b = first; b < layers; ++b)
            compute += block_seconds[static_cast<std::size_t>(b)] * (b == first ? 0.5 : 1.0);
    }
    for (const std::int64_t known : work.shared) tokens -= static_cast<double>(known);
    for (const EvaluationWindow& window : work.windows) {
        tokens += static_cast<double>(window.tokens.size());
        scored += static_cast<double>(window.tokens.size()) - 1 - static_cast<double>(window.context);
    }
    const double head = work.predicts ? 2 * static_cast<double>(model.config().vocabulary) *
                                            static_cast<double>(model.config().hidden)
                                      : 0;
    const auto runs = static_cast<double>(runs_of(work));
    compute += scored * runs * heads * head / rates.head_flops;
    const std::int64_t together = work.scored > 0 ? score_chunk_rows(model, backend, limits, work.windows)
                                                  : group_tokens(work, limits, backend);
    const double groups = std::max(1.0, tokens / static_cast<double>(together));
    double stored = 0;
    for (const StoredTensor& t : model.weights().tensors()) stored += static_cast<double>(t.bytes);
    const double rounds = std::ceil(groups) * static_cast<double>(work.scored > 0 ? 3 : work.runs);
    const double disk = rounds * stored / rates.disk_bytes;
    const double load = (rounds * (elements + head / 2) + errors * elements) / rates.packed_elements;
    return load + std::max(compute, disk);
}

}  // namespace assay
