#include "analyze/task_effects.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>

#include "analyze/swap_sweep.h"
#include "treat/encoded_weights.h"

namespace assay {
namespace {

// One treatment's rows, which stand one after another.
std::span<SensitivityLinear> rows_of(SensitivityResult& result, const std::string& treatment) {
    const auto is_own = [&](const SensitivityLinear& l) { return l.treatment == treatment; };
    const auto first = std::find_if(result.linears.begin(), result.linears.end(), is_own);
    return {first, std::find_if_not(first, result.linears.end(), is_own)};
}

void rank_by_task(std::span<SensitivityLinear> rows) {
    const auto key = [](const SensitivityLinear& l) {
        return l.task
                   ? std::tuple(0, l.task->accuracy_difference, l.task->right_probability_difference, -l.kl)
                   : std::tuple(1, 0.0, 0.0, -l.kl);
    };
    std::stable_sort(rows.begin(), rows.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].rank = static_cast<std::int64_t>(i) + 1;
}

}  // namespace

void add_task_effects(const Model& model, const Engine& engine, const AskedTask& asked,
                      const TaskSwaps& swaps, SensitivityResult& result) {
    const auto treatments = swaps.treatments;
    std::map<std::string, std::size_t> index;
    for (std::size_t i = 0; i < model.items().size(); ++i) index[model.items()[i].name] = i;
    std::vector<Fork> forks;
    std::vector<SensitivityLinear*> swapped;
    std::vector<std::size_t> items;
    for (const Treatment& treatment : treatments) {
        const auto rows = rows_of(result, to_string(treatment));
        for (std::size_t i = 0; i < (swaps.most == 0 ? rows.size() : std::min(swaps.most, rows.size()));
             ++i) {
            items.push_back(index.at(rows[i].name));
            forks.push_back({items.back(), nullptr});
            swapped.push_back(&rows[i]);
        }
    }
    const auto overlays = make_overlays(model, engine, swaps.calibration, items, treatments, swaps.seed);
    for (std::size_t s = 0; s < forks.size(); ++s) {
        for (std::size_t f = 0; f < treatments.size(); ++f) {
            if (swapped[s]->treatment == to_string(treatments[f])) forks[s].overlay = overlays[f].get();
        }
    }
    const SweepResult sweep = sweep_swaps(model, engine, asked.windows, forks, 0);
    const auto reference = answers(asked.task, asked.metric, sweep.baseline);
    for (std::size_t s = 0; s < forks.size(); ++s)
        swapped[s]->task =
            compare_answers(asked.task, reference, answers(asked.task, asked.metric, sweep.swaps[s].blocks));
    result.task = task_baseline(asked.task, asked.metric, reference);
    for (const Treatment& treatment : treatments) rank_by_task(rows_of(result, to_string(treatment)));
}

}  // namespace assay
