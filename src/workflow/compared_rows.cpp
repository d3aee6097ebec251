#include "workflow/compared_rows.h"

#include "measure/runs.h"
#include "measure/summary.h"

namespace assay {
namespace {

bool is_ragged(const NumberFormat& format, const LinearItem& item) {
    const auto* integers = std::get_if<IntFormat>(&format);
    return integers != nullptr && integers->tile.columns > 0 && item.in % integers->tile.columns != 0;
}

// A treated run beside the reference's.
CompareRow measured_row(const std::string& name, const RunScores& reference, const RunScores& run,
                        std::int64_t window_tokens, std::uint64_t seed) {
    const PerplexityResult result = comparison_result(reference, run, window_tokens, seed);
    CompareRow row{.name = name, .ppl = result.ppl};
    const Comparison& c = *result.comparison;
    row.delta_percent = 100 * (result.ppl / c.reference_ppl - 1);
    if (c.ppl_ratio_ci95)
        row.delta_percent_ci95 =
            Interval{100 * (c.ppl_ratio_ci95->low - 1), 100 * (c.ppl_ratio_ci95->high - 1)};
    row.kl = c.kl_mean;
    row.kl_ci95 = c.kl_ci95;
    row.top1_agreement = c.top1_agreement;
    return row;
}

}  // namespace

std::vector<NumberFormat> all_in(const NumberFormat& format, std::span<const std::size_t> items) {
    return std::vector<NumberFormat>(items.size(), format);
}

void add_sizes(const Model& model, std::span<const std::size_t> items, std::span<const NumberFormat> formats,
               CompareRow& row) {
    std::int64_t weights = 0, all = 0, others = 0;
    for (const StoredTensor& tensor : model.weights().tensors()) {
        const std::int64_t count = static_cast<std::int64_t>(element_count(tensor.shape));
        others += count;
        if (tensor.shape.size() == 2) all += count;
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
        const LinearItem& item = model.items()[items[i]];
        row.bytes += storage_size(formats[i], item.out, item.in).total_bytes();
        weights += item.out * item.in;
        if (is_ragged(formats[i], item)) ++row.ragged_linears;
    }
    others -= weights;
    const std::int64_t other_matrices = all - weights;
    const auto bits = [](std::int64_t bytes) { return 8 * static_cast<double>(bytes); };
    row.effective_bits = bits(row.bytes) / static_cast<double>(weights);
    row.average_bits =
        (bits(row.bytes) + 16 * static_cast<double>(other_matrices)) / static_cast<double>(all);
    row.model_bytes = row.bytes + 2 * others;
}

CompareResult compare_models(Session& session, const Evaluation& text, std::span<const std::size_t> items,
                             std::span<const ComparedModel> models, std::uint64_t seed) {
    const Model& model = session.model();
    std::vector<Run> runs{{&model, nullptr}};
    for (const ComparedModel& m : models) runs.push_back({&model, m.overlay});
    const auto scores = measure_runs(session.engine(), text.windows, runs, {.keep_tokens = true});
    CompareResult result;
    const std::int64_t window_tokens = longest_window(text.windows);
    result.reference = perplexity_result(scores[0], window_tokens, seed);
    result.reference.protocol = text.protocol;
    result.reference.stride = text.stride;
    for (std::size_t m = 0; m < models.size(); ++m) {
        result.rows.push_back(measured_row(models[m].name, scores[0], scores[m + 1], window_tokens, seed));
        add_sizes(model, items, models[m].formats, result.rows.back());
    }
    return result;
}

}  // namespace assay
