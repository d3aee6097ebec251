// The verb compare: the whole model in many formats.
#include <algorithm>
#include <deque>

#include "base/error.h"
#include "measure/output_errors.h"
#include "measure/runs.h"
#include "measure/summary.h"
#include "number/number_format.h"
#include "quantize/group_sweep.h"
#include "stats/quantile.h"
#include "treat/treatment_overlay.h"
#include "workflow/other_models.h"
#include "workflow/session.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

// Those asked for; else every group size, symmetry and number of bits, and the clipped format.
std::vector<Treatment> treatments_of(const CompareOptions& options) {
    std::vector<Treatment> out;
    for (const std::string& text : options.treatments) out.push_back(parse_treatment(text));
    if (out.empty()) {
        for (const IntFormat& format : group_sweep_formats()) out.push_back({.format = format});
        for (const char* clipped : {"int3-g64:clip", "int4-g64:clip"})
            out.push_back(parse_treatment(clipped));
    }
    for (const Treatment& treatment : out) {
        if (is_calibrated(treatment))
            throw InvalidArgument(to_string(treatment) +
                                  " looks at the linears' inputs; compare formats takes methods that do not");
    }
    return out;
}

// Exact sizes, as the formats store them.
void add_sizes(const Model& model, const std::vector<std::size_t>& items, const NumberFormat& format,
               CompareRow& row) {
    std::int64_t weights = 0, all = 0, others = 0;
    for (const StoredTensor& tensor : model.weights().tensors()) {
        const std::int64_t count = static_cast<std::int64_t>(element_count(tensor.shape));
        others += count;
        if (tensor.shape.size() == 2) all += count;
    }
    for (const std::size_t i : items) {
        const LinearItem& item = model.items()[i];
        const std::int64_t count = item.out * item.in;
        row.bytes += storage_size(format, item.out, item.in).total_bytes();
        weights += count;
        const auto* integers = std::get_if<IntFormat>(&format);
        if (integers != nullptr && integers->tile.columns > 0 && item.in % integers->tile.columns != 0)
            ++row.ragged_linears;
    }
    others -= weights;
    const std::int64_t other_matrices = all - weights;
    const auto bits = [](std::int64_t bytes) { return 8 * static_cast<double>(bytes); };
    row.effective_bits = bits(row.bytes) / static_cast<double>(weights);
    row.average_bits =
        (bits(row.bytes) + 16 * static_cast<double>(other_matrices)) / static_cast<double>(all);
    row.model_bytes = row.bytes + 2 * others;
}

// A treated run beside the reference's.
CompareRow measured(const Treatment& treatment, const RunScores& reference, const RunScores& run,
                    std::int64_t window_tokens, std::uint64_t seed) {
    const PerplexityResult result = comparison_result(reference, run, window_tokens, seed);
    CompareRow row{.name = to_string(treatment), .ppl = result.ppl};
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

Envelope compare_formats(const CompareOptions& options, Progress& progress, const CancelToken& cancel) {
    const std::vector<Treatment> treatments = treatments_of(options);
    Session session(options.model, progress, cancel);
    const Model& model = session.model();
    const std::vector<std::size_t> items = block_linears(model, session.select_items(options.linears));
    if (items.empty()) throw InvalidArgument("--linears names no linear of a block");
    const TreatmentOverlay::Choice chosen = only_block_linears(model, items);
    const Evaluation text = session.evaluation(options.text);
    session.set("seed", options.seed);
    Json names = Json::array();
    std::deque<TreatmentOverlay> overlays;
    std::vector<const WeightOverlay*> pointers;
    std::vector<Run> runs{{&model, nullptr}};
    for (const Treatment& treatment : treatments) {
        names.push_back(to_string(treatment));
        overlays.emplace_back(treatment, chosen);
        pointers.push_back(&overlays.back());
        runs.push_back({&model, &overlays.back()});
    }
    session.set("treatments", names);
    session.prepare({{&model, std::ssize(runs), {}, text.windows}});
    const auto scores = measure_runs(session.engine(), text.windows, runs, {.keep_tokens = true});
    const auto errors = output_errors(model, session.engine(), text.windows, items, pointers);
    CompareResult result{.what = "formats"};
    const std::int64_t window_tokens = longest_window(text.windows);
    result.reference = perplexity_result(scores[0], window_tokens, options.seed);
    result.reference.protocol = text.protocol;
    result.reference.stride = text.stride;
    for (std::size_t f = 0; f < treatments.size(); ++f) {
        CompareRow row = measured(treatments[f], scores[0], scores[f + 1], window_tokens, options.seed);
        add_sizes(model, items, treatments[f].format, row);
        std::vector<double> all;
        for (std::size_t i = 0; i < items.size(); ++i) {
            all.push_back(errors[i][f]);
            row.linears.push_back({model.items()[items[i]].name, errors[i][f]});
        }
        row.output_error = quantile(all, 0.5);
        result.rows.push_back(std::move(row));
    }
    return session.finish(std::move(result));
}

}  // namespace assay
