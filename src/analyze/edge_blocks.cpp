#include "analyze/edge_blocks.h"

#include <algorithm>
#include <deque>
#include <set>
#include <vector>

#include "analyze/paired_gain.h"
#include "base/rng.h"
#include "measure/runs.h"
#include "measure/summary.h"
#include "stats/bootstrap.h"
#include "treat/treatment_overlay.h"

namespace assay {
namespace {

std::int64_t block_weights(const Model& model, std::int64_t block) {
    std::int64_t sum = 0;
    for (const LinearItem& item : model.items()) {
        if (item.block == block && item.role == LinearItem::Role::kBlock) sum += item.out * item.in;
    }
    return sum;
}

// The edges first, then random choices of blocks in between with as many weights.
std::vector<std::set<std::int64_t>> choices(const Model& model, std::uint64_t seed) {
    const std::int64_t layers = model.config().layers;
    std::vector<std::set<std::int64_t>> out(1);
    std::vector<std::int64_t> between;
    for (std::int64_t b = 0; b < layers; ++b) {
        if (b < kEdgeBlocks || b >= layers - kEdgeBlocks)
            out[0].insert(b);
        else if (block_weights(model, b) == block_weights(model, layers - 1))
            between.push_back(b);
    }
    Rng rng(seed);
    while (out.size() <= kRandomChoices && std::ssize(between) >= 2 * kEdgeBlocks) {
        std::vector<std::int64_t> order = between;
        for (std::size_t i = 0; i < 2 * kEdgeBlocks; ++i)
            std::swap(order[i], order[i + rng.below(order.size() - i)]);
        out.emplace_back(order.begin(), order.begin() + 2 * kEdgeBlocks);
    }
    return out;
}

KeptBlocks kept(const std::set<std::int64_t>& blocks, std::span<const BlockSums> all,
                std::span<const BlockSums> own, std::uint64_t seed) {
    const PairedGain gain = paired_gain(all, own, seed);
    return {.blocks = {blocks.begin(), blocks.end()},
            .kl = mean_kl(own),
            .gain = gain.nats,
            .gain_ci95 = gain.nats_ci95,
            .gain_share = gain.share};
}

// By how much the edges' damage is below the mean of the others': of each block of positions.
void compare(std::span<const RunScores> scores, std::uint64_t seed, EdgeAdvice& advice) {
    std::vector<double> differences, tokens;
    const auto others = static_cast<double>(scores.size() - 3);
    double sum = 0, all = 0;
    for (std::size_t i = 0; i < scores[2].blocks.size(); ++i) {
        double mean = 0;
        for (std::size_t r = 3; r < scores.size(); ++r) mean += scores[r].blocks[i].kl_sum / others;
        differences.push_back(mean - scores[2].blocks[i].kl_sum);
        tokens.push_back(static_cast<double>(scores[2].blocks[i].tokens));
        sum += differences.back();
        all += tokens.back();
    }
    advice.advantage = sum / all;
    advice.advantage_ci95 = bootstrap_mean(differences, tokens, {.seed = seed});
    advice.holds = advice.advantage_ci95 && advice.advantage_ci95->low > 0 &&
                   std::none_of(advice.random.begin(), advice.random.end(),
                                [&](const KeptBlocks& k) { return k.gain > advice.edges.gain; });
}

}  // namespace

std::optional<EdgeAdvice> measure_edge_advice(const Model& model, const Engine& engine,
                                              std::span<const EvaluationWindow> windows,
                                              const Treatment& treatment, std::uint64_t seed) {
    if (model.config().layers < kLeastBlocks) return std::nullopt;
    const auto blocks = choices(model, seed);
    if (blocks.size() < 2) return std::nullopt;
    std::deque<TreatmentOverlay> overlays;
    std::vector<Run> runs{{&model, nullptr}};
    const auto add = [&](std::set<std::int64_t> left) {
        overlays.emplace_back(treatment, [left = std::move(left)](const LinearItem& item) {
            return item.role == LinearItem::Role::kBlock && !left.contains(item.block);
        });
        runs.push_back({&model, &overlays.back()});
    };
    add({});
    for (const auto& left : blocks) add(left);
    const auto scores = measure_runs(engine, windows, runs, {});
    EdgeAdvice advice{.edges = kept(blocks[0], scores[1].blocks, scores[2].blocks, seed)};
    for (std::size_t c = 1; c < blocks.size(); ++c)
        advice.random.push_back(kept(blocks[c], scores[1].blocks, scores[c + 2].blocks, seed));
    compare(scores, seed, advice);
    return advice;
}

}  // namespace assay
