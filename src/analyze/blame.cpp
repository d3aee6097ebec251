#include "analyze/blame.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "analyze/ranking.h"
#include "base/error.h"
#include "measure/runs.h"
#include "measure/summary.h"
#include "treat/model_differences.h"
#include "treat/other_weights.h"

namespace assay {
namespace {

std::string file_name(const std::string& path) {
    const std::filesystem::path clean = std::filesystem::path(path).lexically_normal();
    return (clean.has_filename() ? clean : clean.parent_path()).filename().string();
}

// Whole runs of the reference, of the other model and, where it differs, of its rest alone.
void measure_wholes(const Model& reference, const Model& other, const Engine& engine,
                    std::span<const EvaluationWindow> windows, std::uint64_t seed, BlameResult& result) {
    std::vector<Run> runs{{&reference, nullptr}, {&other, nullptr}};
    std::optional<Model> rest;
    if (!result.other_differences.empty() || !result.config_differences.empty()) {
        rest.emplace(with_other_rest(reference, other));
        runs.push_back({&*rest, nullptr});
    }
    const auto scores = measure_runs(engine, windows, runs, {.keep_tokens = true});
    result.total = comparison_result(scores[0], scores[1], longest_window(windows), seed);
    if (rest) result.others = comparison_result(scores[0], scores[2], longest_window(windows), seed);
    result.sensitivity.baseline = perplexity_result(scores[0].blocks, longest_window(windows));
}

// The chosen items that differ.
std::vector<std::size_t> differing(const Model& model, const std::vector<std::size_t>& items,
                                   const std::vector<TensorDifference>& differences) {
    std::vector<std::size_t> out;
    for (std::size_t i : items) {
        const std::string name = model.items()[i].name + ".weight";
        if (std::any_of(differences.begin(), differences.end(),
                        [&](const auto& d) { return d.name == name; }))
            out.push_back(i);
    }
    return out;
}

// What to do about a linear whose damage is done.
std::string remedy_of(const std::string& category) {
    if (category == "critical" || category == "high") return "restore it, or use more bits";
    if (category == "moderate") return "next in line for more bits";
    return category == "low" ? "leave as it is" : "no measurable damage: leave as it is";
}

std::vector<BlockDamage> by_block(const std::vector<SensitivityLinear>& linears) {
    std::map<std::int64_t, BlockDamage> blocks;
    for (const SensitivityLinear& linear : linears) {
        if (!linear.block) continue;
        BlockDamage& block = blocks[*linear.block];
        block.block = *linear.block;
        block.kl += linear.kl;
        block.share_of_damage += linear.share_of_damage;
    }
    std::vector<BlockDamage> out;
    for (const auto& [index, block] : blocks) out.push_back(block);
    return out;
}

}  // namespace

BlameResult measure_blame(const Model& reference, const Model& other, const Engine& engine,
                          std::span<const EvaluationWindow> windows, const SensitivityOptions& options) {
    if (windows.empty()) throw InvalidArgument("no windows to measure on");
    expect_same_shapes(reference, other);
    BlameResult result;
    result.reference = reference.path();
    result.differences = linear_differences(reference, other, engine);
    result.other_differences = vector_differences(reference, other);
    result.config_differences = config_differences(reference, other);
    measure_wholes(reference, other, engine, windows, options.seed, result);
    SensitivityOptions own = options;
    own.items = differing(reference, options.items, result.differences);
    const std::string name = file_name(other.path());
    result.sensitivity.treatment = name;
    if (own.items.empty()) return result;
    const OtherWeights weights(other);
    const std::vector<NamedChange> changes{{name, &weights}};
    result.sensitivity = measure_changes(reference, engine, windows, changes, own);
    for (SensitivityLinear& linear : result.sensitivity.linears) {
        linear.recommendation = remedy_of(linear.category);
        result.linears_kl += linear.kl;
    }
    result.blocks = by_block(result.sensitivity.linears);
    return result;
}

}  // namespace assay
