// How well scores predict exact swaps: the experiments of docs/statistics.md. Prints one JSON document.
//
// usage: score_study MODEL [--window N] [--windows N] [--skip WINDOWS] [--context N] [--linears N] [--seeds
// N] [--threads N]
// [--treatments A;B;…]
//   --linears N: so many of the blocks' linears, drawn with a fixed seed (0: all)
//   --seeds N: so many draws of labels; the exact swaps are measured once
//   --exact 0: no exact swaps
//   --fresh 1: each seed takes the next windows instead of the same ones (no exact swaps)
//   --plans N: also N random halves of the linears under the last treatment, treated together, and all of
//   them:
//     measured, and predicted from the first seed
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "analyze/swap_sweep.h"
#include "base/error.h"
#include "base/rng.h"
#include "container/json.h"
#include "measure/damage_estimate.h"
#include "measure/runs.h"
#include "measure/summary.h"
#include "measure/treatment_scores.h"
#include "model/model_files.h"
#include "stats/quadratic_interval.h"
#include "stats/quantile.h"
#include "stats/rank.h"
#include "text/builtin_text.h"
#include "text/windows.h"
#include "timed_backend.h"
#include "timing.h"
#include "treat/treatment_overlay.h"
#include "workflow/tokenizer_files.h"

namespace assay::bench {
namespace {

struct Arguments {
    std::string model;
    std::vector<std::string> treatments{"int3-g64", "int4-sym-g64", "int4-g64", "int8-channel"};
    std::int64_t window = 256, windows = 8, context = 64, linears = 60, seeds = 4, skip = 0, exact = 1,
                 fresh = 0, plans = 0;
    int threads = 2;
};

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(';', begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

Arguments parse(int argc, char** argv) {
    Arguments a;
    a.model = argc > 1 ? argv[1] : "";
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string name = argv[i], value = argv[i + 1];
        if (name == "--treatments")
            a.treatments = split(value);
        else if (name == "--threads")
            a.threads = std::stoi(value);
        else {
            std::int64_t* field = name == "--window"    ? &a.window
                                  : name == "--windows" ? &a.windows
                                  : name == "--context" ? &a.context
                                  : name == "--linears" ? &a.linears
                                  : name == "--seeds"   ? &a.seeds
                                  : name == "--skip"    ? &a.skip
                                  : name == "--exact"   ? &a.exact
                                  : name == "--fresh"   ? &a.fresh
                                  : name == "--plans"   ? &a.plans
                                                        : nullptr;
            if (field == nullptr) throw InvalidArgument("unknown option " + name);
            *field = std::stol(value);
        }
    }
    return a;
}

// The study's linears: some of the blocks', drawn without replacement, in the model's order.
std::vector<std::size_t> draw_items(const Model& model, std::int64_t count) {
    std::vector<std::size_t> items;
    for (std::size_t i = 0; i < model.items().size(); ++i) {
        if (model.items()[i].role == LinearItem::Role::kBlock) items.push_back(i);
    }
    Rng rng(7);
    while (count > 0 && std::ssize(items) > count)
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(rng.below(items.size())));
    return items;
}

// One seed's estimates beside the exact swaps.
Json compare(const std::vector<double>& exact, const std::vector<double>& estimate, double floor) {
    std::vector<double> x, y, logs;
    for (std::size_t i = 0; i < exact.size(); ++i) {
        if (!(exact[i] > floor) || !(estimate[i] > 0)) continue;
        x.push_back(exact[i]);
        y.push_back(estimate[i]);
        logs.push_back(std::log(estimate[i] / exact[i]));
    }
    if (x.size() < 3) return nullptr;
    double mean = 0, square = 0;
    for (double l : logs) mean += l / static_cast<double>(logs.size());
    for (double l : logs) square += (l - mean) * (l - mean) / static_cast<double>(logs.size() - 1);
    return {{"linears", x.size()},
            {"spearman", *spearman(x, y)},
            {"median_ratio", std::exp(quantile(logs, 0.5))},
            {"sd_log_ratio", std::sqrt(square)}};
}

// Treats a set of items.
class PlanOverlay final : public WeightOverlay {
  public:
    PlanOverlay(const WeightOverlay& treatment, const Model& model, const std::vector<std::size_t>& items)
        : treatment_(treatment) {
        for (std::size_t i : items) names_.insert(model.items()[i].name);
    }
    bool treats(const LinearItem& item) const override { return names_.contains(item.name); }
    void apply(const LinearItem& item, MatrixView<float> w) const override { treatment_.apply(item, w); }

  private:
    const WeightOverlay& treatment_;
    std::set<std::string> names_;
};

// One plan: measured damage, the sum of the single estimates, and the estimate with interactions: of the
// summed S.
Json measure_plan(const Model& model, const Engine& engine, std::span<const EvaluationWindow> windows,
                  const ScoreResult& scores, std::size_t treatment, const WeightOverlay& overlay,
                  const std::vector<std::size_t>& items) {
    const PlanOverlay plan(overlay, model, items);
    const std::vector<Run> runs{{&model, nullptr}, {&model, &plan}};
    const auto measured = measure_runs(engine, windows, runs, {});
    const DamageSummary damage = summarize_damage(measured[0].blocks, measured[1].blocks, 0);
    const std::set<std::size_t> chosen(items.begin(), items.end());
    std::vector<double> together(scores.blocks.size(), 0.0);
    double sum = 0, sum_windows = 0, variance = 0;
    for (const TreatmentScore& s : scores.scores) {
        if (s.treatment != treatment || !chosen.contains(s.item)) continue;
        const DamageEstimate e = estimate_damage(scores, s.sums);
        sum += e.kl;
        sum_windows += e.kl_windows;
        variance += e.se * e.se;
        for (std::size_t b = 0; b < together.size(); ++b) together[b] += s.sums[b];
    }
    const DamageEstimate whole = estimate_damage(scores, together);
    return {{"linears", items.size()},
            {"measured", damage.kl},
            {"measured_ci95", {damage.kl_ci95->low, damage.kl_ci95->high}},
            {"sum", sum},
            {"sum_windows", sum_windows},
            {"sum_se", std::sqrt(variance)},
            {"together", whole.kl},
            {"together_windows", whole.kl_windows},
            {"together_se", whole.se}};
}

}  // namespace

int run(const Arguments& a) {
    const ModelFiles files = open_model_files(a.model);
    const Model model = load_model(files);
    ThreadPool pool(a.threads);
    TimedBackend backend(compute::make_cpu_backend(pool));
    const CancelToken cancel;
    const Engine engine{backend, pool, silent_progress(), cancel};
    const auto ids = load_tokenizer(files).encode(builtin_evaluation_text(), false);
    auto windows = gptq_windows(ids, {a.window, a.skip + a.windows * (a.fresh > 0 ? a.seeds : 1)});
    windows.erase(windows.begin(), windows.begin() + a.skip);
    for (EvaluationWindow& window : windows) window.context = a.context;
    const std::vector<EvaluationWindow> all = windows;
    windows.resize(static_cast<std::size_t>(a.windows));
    const auto items = draw_items(model, a.linears);
    std::vector<Treatment> treatments;
    std::deque<TreatmentOverlay> overlays;
    ScoreOptions options{.items = items, .treatments = {}, .seed = 0};
    std::vector<Fork> swaps;
    for (std::size_t f = 0; f < a.treatments.size(); ++f) {
        treatments.push_back(parse_treatment(a.treatments[f]));
        options.treatments.push_back(
            &overlays.emplace_back(treatments[f], [](const LinearItem&) { return true; }));
    }
    for (std::size_t i : items) {
        for (const TreatmentOverlay& overlay : overlays) swaps.push_back({i, &overlay});
    }
    const std::vector<Run> plain{{&model, nullptr}};
    const double forward = time_of([&] { measure_runs(engine, windows, plain, {}); });
    SweepResult sweep;
    const double exact_seconds = time_of([&] {
        if (a.exact > 0 && a.fresh == 0) sweep = sweep_swaps(model, engine, windows, swaps, 0);
    });
    std::vector<double> exact;
    for (const SwapMeasurement& swap : sweep.swaps)
        exact.push_back(summarize_damage(sweep.baseline, swap.blocks, 0).kl);
    exact.resize(swaps.size(), 0.0);
    const double floor = 1e-7;
    Json seeds = Json::array();
    std::vector<double> score_seconds;
    Json rows = Json::array();
    for (std::size_t k = 0; k < exact.size(); ++k)
        rows.push_back({{"name", model.items()[swaps[k].item].name},
                        {"treatment", a.treatments[k % treatments.size()]},
                        {"exact", exact[k]},
                        {"kl", Json::array()},
                        {"kl_windows", Json::array()},
                        {"label_se", Json::array()},
                        {"se", Json::array()}});
    Json parts, plans = Json::array();
    for (std::int64_t seed = 0; seed < a.seeds; ++seed) {
        options.seed = static_cast<std::uint64_t>(seed);
        if (a.fresh > 0) {
            const auto first = all.begin() + seed * a.windows;
            windows.assign(first, first + a.windows);
        }
        ScoreResult scores;
        backend.seconds.clear();
        score_seconds.push_back(time_of([&] { scores = score_treatments(model, engine, windows, options); }));
        for (const auto& [part, time] : backend.seconds) parts[part] = time;
        std::vector<double> blocks, whole;
        for (std::size_t k = 0; k < scores.scores.size(); ++k) {
            const DamageEstimate e = estimate_damage(scores, scores.scores[k].sums);
            blocks.push_back(e.kl);
            whole.push_back(e.kl_windows);
            rows[k]["kl"].push_back(e.kl);
            rows[k]["kl_windows"].push_back(e.kl_windows);
            rows[k]["label_se"].push_back(e.label_se);
            rows[k]["se"].push_back(e.se);
        }
        if (seed == 0 && a.plans > 0) {
            const std::size_t last = treatments.size() - 1;
            plans.push_back(measure_plan(model, engine, windows, scores, last, overlays[last], items));
            Rng rng(11);
            for (std::int64_t p = 0; p < a.plans; ++p) {
                std::vector<std::size_t> half;
                for (std::size_t i : items) {
                    if (rng.uniform() < 0.5) half.push_back(i);
                }
                plans.push_back(measure_plan(model, engine, windows, scores, last, overlays[last], half));
            }
        }
        Json by_treatment;
        for (std::size_t f = 0; f < treatments.size(); ++f) {
            std::vector<double> x, y;
            for (std::size_t k = f; k < exact.size(); k += treatments.size()) {
                x.push_back(exact[k]);
                y.push_back(blocks[k]);
            }
            by_treatment[to_string(treatments[f])] = compare(x, y, floor);
        }
        seeds.push_back({{"seed", seed},
                         {"blocks", compare(exact, blocks, floor)},
                         {"windows", compare(exact, whole, floor)},
                         {"by_treatment", by_treatment}});
    }
    const Json out = {{"window", a.window},
                      {"windows", a.windows},
                      {"context", a.context},
                      {"linears", items.size()},
                      {"treatments", a.treatments},
                      {"forward_seconds", forward},
                      {"exact_seconds", exact_seconds},
                      {"score_seconds", score_seconds},
                      {"score_parts_seconds", parts},
                      {"score_forwards", score_seconds.empty() ? 0 : quantile(score_seconds, 0.5) / forward},
                      {"seeds", seeds},
                      {"plans", plans},
                      {"rows", rows}};
    fmt::print("{}\n", out.dump(1));
    return 0;
}

}  // namespace assay::bench

int main(int argc, char** argv) {
    try {
        return assay::bench::run(assay::bench::parse(argc, argv));
    } catch (const std::exception& e) {
        fmt::print(stderr, "score_study: {}\n", e.what());
        return 2;
    }
}
