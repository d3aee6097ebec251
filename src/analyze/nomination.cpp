#include "analyze/nomination.h"

#include <algorithm>

#include "analyze/experiments.h"

namespace assay {
namespace {

// Appends to `chosen` the kSuspects with the least keys.
template <class Key>
void move_first(std::vector<const ScreenedCause*>& suspected, const Key& key,
                std::vector<const ScreenedCause*>& chosen) {
    std::stable_sort(suspected.begin(), suspected.end(),
                     [&](const ScreenedCause* a, const ScreenedCause* b) { return key(*a) < key(*b); });
    const auto end = suspected.begin() + static_cast<std::ptrdiff_t>(std::min(kSuspects, suspected.size()));
    chosen.insert(chosen.end(), suspected.begin(), end);
    suspected.erase(suspected.begin(), end);
}

}  // namespace

std::vector<NominatedLinear> choose_suspects(std::span<const std::size_t> worst,
                                             std::span<const ScreenedCause> screened, double noise_floor) {
    std::vector<NominatedLinear> linears;
    for (std::size_t item : worst) linears.push_back({item, {}, true});
    const auto place_of = [&](std::size_t item) {
        return std::find_if(linears.begin(), linears.end(),
                            [&](const NominatedLinear& n) { return n.item == item; });
    };
    std::map<Cause, std::vector<const ScreenedCause*>> others;
    for (const ScreenedCause& s : screened) {
        if (!s.suspected) continue;
        const auto place = place_of(s.item);
        if (place != linears.end())
            place->causes.push_back(s.cause);
        else if (s.kl > noise_floor)
            others[s.cause].push_back(&s);
    }
    for (auto& [cause, suspected] : others) {
        std::vector<const ScreenedCause*> chosen;
        move_first(
            suspected, [](const ScreenedCause& s) { return s.most_left; }, chosen);
        move_first(
            suspected, [](const ScreenedCause& s) { return -s.kl * (1 - s.left); }, chosen);
        for (const ScreenedCause* s : chosen) {
            auto place = place_of(s->item);
            if (place == linears.end()) place = linears.insert(place, {s->item, {}, false});
            place->causes.push_back(s->cause);
        }
    }
    return linears;
}

Nominations nominate(const Model& model, const Engine& engine, std::span<const EvaluationWindow> windows,
                     const NominationOptions& options) {
    Nominations out;
    if (!options.items.empty()) {
        out.activations = measure_activations(model, engine, windows, options.items);
        std::vector<ScreenedLinear> linears;
        for (std::size_t i : options.items) {
            const bool coarse = grid_decides(options.verdicts.at(i).grid, options.treatment.format);
            linears.push_back({i, out.activations.input(i).channel_energy, !coarse});
        }
        out.screened = screen_causes(model, engine, windows, options.treatment.format, linears, options.seed);
    }
    out.linears = choose_suspects(options.worst, out.screened, options.noise_floor);
    return out;
}

}  // namespace assay
