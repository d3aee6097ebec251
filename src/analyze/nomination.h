// Which linears findings explain by swaps, and what each is suspected of.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "analyze/screening.h"
#include "analyze/weight_findings.h"
#include "measure/activations.h"
#include "model/pass.h"
#include "records/treatment.h"

namespace assay {

struct NominatedLinear {
    std::size_t item = 0;       // index into Model::items()
    std::vector<Cause> causes;  // that it is suspected of
    bool is_worst = false;
};

struct Nominations {
    std::vector<NominatedLinear> linears;
    std::vector<ScreenedCause> screened;  // of all linears
    Activations activations;              // the inputs of all linears
};

struct NominationOptions {
    Treatment treatment;
    std::vector<std::size_t> items;  // linears of blocks that are looked at
    std::vector<std::size_t> worst;  // those of them that are explained whatever they are suspected of
    const std::map<std::size_t, WeightVerdict>& verdicts;
    double noise_floor = 0;
    std::uint64_t seed = 0;
};

// The worst linears, items, with all causes that are suspected in them; and of the others with more damage
// than the noise floor, for each cause, the kSuspects that show it most surely, by the upper end of what may
// be left, and of the rest the kSuspects that it costs most, damage · (1 - left).
std::vector<NominatedLinear> choose_suspects(std::span<const std::size_t> worst,
                                             std::span<const ScreenedCause> screened, double noise_floor);

// choose_suspects() of what screen_causes() says. Throws as measure_activations() and screen_causes().
Nominations nominate(const Model& model, const Engine& engine, std::span<const EvaluationWindow> windows,
                     const NominationOptions& options);

inline constexpr std::size_t kSuspects = 2;

}  // namespace assay
