#include "treat/encoded_weights.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "model/block_walk.h"
#include "treat/rounded_inputs.h"
#include "treat/treatment_overlay.h"

namespace assay {
namespace {

void expect_alone(const Treatment& treatment) {
    expect_calibrated(treatment);
    if (is_set(treatment, "true-sequential")) {
        throw InvalidArgument(
            to_string(treatment) +
            ": true-sequential is about treating a whole model; a linear treated by itself has "
            "the inputs of the untreated model");
    }
}

std::vector<SharedInput> inputs_of(std::span<const SharedInput> inputs, std::int64_t block) {
    std::vector<SharedInput> own;
    std::copy_if(inputs.begin(), inputs.end(), std::back_inserter(own),
                 [&](const SharedInput& input) { return input.block == block; });
    return own;
}

// Treatments that share statistics, and what adds those of one block up.
struct KindOfStatistics {
    std::vector<std::size_t> treatments;  // indexes
    std::optional<HessianTap> tap;
};

std::vector<KindOfStatistics> kinds_of(std::span<const Treatment> treatments) {
    std::vector<KindOfStatistics> kinds;
    for (const bool gradients : {false, true}) {
        KindOfStatistics kind;
        for (std::size_t t = 0; t < treatments.size(); ++t) {
            if (method_of(treatments[t]).gradients == gradients) kind.treatments.push_back(t);
        }
        if (!kind.treatments.empty()) kinds.push_back(std::move(kind));
    }
    return kinds;
}

}  // namespace

void EncodedWeights::add(CalibratedWeight weight) {
    std::string name = weight.report.name;
    weights_.insert_or_assign(std::move(name), std::move(weight));
}

void EncodedWeights::apply(const LinearItem& item, MatrixView<float> w) const {
    ThreadPool own_thread(1);  // passes load several linears at once, each on its own thread
    decode(weight(item.name), w, own_thread);
}

std::vector<CalibratedLinear> EncodedWeights::reports() const {
    std::vector<CalibratedLinear> all;
    for (const auto& [name, weight] : weights_) all.push_back(weight.report);
    return all;
}

std::vector<EncodedWeights> calibrate(const Model& model, const Engine& engine,
                                      std::span<const EvaluationWindow> calibration,
                                      std::span<const std::size_t> items,
                                      std::span<const Treatment> treatments) {
    for (const Treatment& treatment : treatments) expect_alone(treatment);
    if (calibration.empty()) throw InvalidArgument("a calibrated treatment needs calibration windows");
    const std::vector<SharedInput> inputs = shared_inputs(model, items);
    if (inputs.empty()) throw InvalidArgument("a calibrated treatment needs linears to treat");
    std::vector<EncodedWeights> treated(treatments.size());
    BlockWalk walk(model, engine, calibration);
    const std::int64_t last = inputs.back().block;
    engine.progress.begin("calibration", static_cast<std::uint64_t>(walk.rows() * (last + 1)));
    FisherSource fisher(model, engine, calibration, items);
    while (walk.block() <= last) {
        std::vector<KindOfStatistics> kinds = kinds_of(treatments);
        for (KindOfStatistics& kind : kinds) {
            kind.tap.emplace(
                model, engine.backend,
                inputs_for(treatments[kind.treatments.front()], inputs_of(inputs, walk.block()), fisher));
        }
        walk.advance(nullptr,
                     [&](const LinearItem& item, const compute::Batch& rows, const compute::Tensor& input) {
                         for (KindOfStatistics& kind : kinds) kind.tap->add(item, rows, input);
                     });
        for (KindOfStatistics& kind : kinds) {
            const std::vector<Hessian> hessians = kind.tap->take();
            for (std::size_t t : kind.treatments) {
                for (CalibratedWeight& weight :
                     treat_together(model, engine, treatments[t], hessians, fisher))
                    treated[t].add(std::move(weight));
            }
        }
    }
    engine.progress.end();
    return treated;
}

std::vector<std::unique_ptr<WeightOverlay>> make_overlays(const Model& model, const Engine& engine,
                                                          std::span<const EvaluationWindow> calibration,
                                                          std::span<const std::size_t> items,
                                                          std::span<const Treatment> treatments) {
    std::vector<Treatment> calibrated;
    std::vector<Treatment> rounding;
    for (const Treatment& treatment : treatments) {
        if (is_calibrated(treatment)) (treatment.activations ? rounding : calibrated).push_back(treatment);
    }
    std::vector<std::size_t> in_blocks;
    std::set<std::string> names;
    for (std::size_t i : items) {
        names.insert(model.items().at(i).name);
        if (model.items()[i].block >= 0) in_blocks.push_back(i);
    }
    std::vector<EncodedWeights> encoded;
    if (!calibrated.empty()) encoded = calibrate(model, engine, calibration, in_blocks, calibrated);
    std::vector<std::unique_ptr<RoundedInputs>> rounded;
    if (!rounding.empty()) rounded = calibrate_inputs(model, engine, calibration, in_blocks, rounding);
    std::vector<std::unique_ptr<WeightOverlay>> overlays;
    std::size_t next = 0, next_rounded = 0;
    for (const Treatment& treatment : treatments) {
        if (is_calibrated(treatment) && treatment.activations) {
            overlays.push_back(std::move(rounded[next_rounded++]));
        } else if (is_calibrated(treatment)) {
            overlays.push_back(std::make_unique<EncodedWeights>(std::move(encoded[next++])));
        } else {
            overlays.push_back(std::make_unique<TreatmentOverlay>(
                treatment, [names](const LinearItem& item) { return names.contains(item.name); }));
        }
    }
    return overlays;
}

}  // namespace assay
