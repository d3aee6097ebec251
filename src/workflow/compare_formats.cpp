// The verb compare formats: the whole model in many number formats.
#include <algorithm>
#include <deque>

#include "base/error.h"
#include "measure/output_errors.h"
#include "quantize/group_sweep.h"
#include "stats/quantile.h"
#include "treat/treatment_overlay.h"
#include "workflow/compared_rows.h"
#include "workflow/other_models.h"
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
                                  " looks at the linears' inputs; compare techniques takes such methods");
    }
    return out;
}

// Of each linear under each treatment, on the windows.
void add_output_errors(const Model& model, std::span<const std::size_t> items,
                       const std::vector<std::vector<double>>& errors, CompareResult& result) {
    for (std::size_t f = 0; f < result.rows.size(); ++f) {
        CompareRow& row = result.rows[f];
        std::vector<double> all;
        for (std::size_t i = 0; i < items.size(); ++i) {
            all.push_back(errors[i][f]);
            row.linears.push_back({model.items()[items[i]].name, errors[i][f]});
        }
        row.output_error = quantile(all, 0.5);
    }
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
    std::vector<ComparedModel> models;
    for (const Treatment& treatment : treatments) {
        names.push_back(to_string(treatment));
        overlays.emplace_back(treatment, chosen);
        pointers.push_back(&overlays.back());
        models.push_back({to_string(treatment), all_in(treatment.format, items), &overlays.back()});
    }
    session.set("treatments", names);
    session.prepare({{.model = &model,
                      .runs = std::ssize(models) + 1,
                      .windows = text.windows,
                      .errors = std::ssize(models)}});
    CompareResult result = compare_models(session, text, items, models, options.seed);
    result.what = "formats";
    add_output_errors(model, items, output_errors(model, session.engine(), text.windows, items, pointers),
                      result);
    return session.finish(std::move(result));
}

}  // namespace assay
