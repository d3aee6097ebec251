#include "analyze/nomination.h"

#include <algorithm>

#include "analyze/experiments.h"

namespace assay {
namespace {

class Nominees {
  public:
    explicit Nominees(const std::vector<std::size_t>& worst) {
        for (std::size_t item : worst) linears_.push_back({item, {}, true});
    }

    void add(const std::vector<ScreenedCause>& screened, double noise_floor) {
        std::map<Cause, std::vector<const ScreenedCause*>> others;
        for (const ScreenedCause& s : screened) {
            if (!s.suspected) continue;
            const auto place = place_of(s.item);
            if (place != linears_.end())
                place->causes.push_back(s.cause);
            else if (s.kl > noise_floor)
                others[s.cause].push_back(&s);
        }
        for (auto& [cause, suspected] : others) {
            add_first(suspected, [](const ScreenedCause& s) { return s.left; });
            add_first(suspected, [](const ScreenedCause& s) { return -s.kl * (1 - s.left); });
        }
    }

    std::vector<NominatedLinear> take() { return std::move(linears_); }

  private:
    std::vector<NominatedLinear>::iterator place_of(std::size_t item) {
        return std::find_if(linears_.begin(), linears_.end(),
                            [&](const NominatedLinear& n) { return n.item == item; });
    }

    // The kSuspects with the least keys, with their cause.
    template <class Key>
    void add_first(std::vector<const ScreenedCause*>& suspected, const Key& key) {
        std::stable_sort(suspected.begin(), suspected.end(),
                         [&](const ScreenedCause* a, const ScreenedCause* b) { return key(*a) < key(*b); });
        for (std::size_t i = 0; i < std::min(kSuspects, suspected.size()); ++i) {
            const ScreenedCause& s = *suspected[i];
            auto place = place_of(s.item);
            if (place == linears_.end()) place = linears_.insert(place, {s.item, {}, false});
            auto& causes = place->causes;
            if (std::find(causes.begin(), causes.end(), s.cause) == causes.end()) causes.push_back(s.cause);
        }
    }

    std::vector<NominatedLinear> linears_;
};

}  // namespace

Nominations nominate(const Model& model, const Engine& engine, std::span<const EvaluationWindow> windows,
                     const NominationOptions& options) {
    Nominations out;
    Nominees nominees(options.worst);
    if (!options.items.empty()) {
        out.activations = measure_activations(model, engine, windows, options.items);
        std::vector<ScreenedLinear> linears;
        for (std::size_t i : options.items) {
            const bool coarse = grid_decides(options.verdicts.at(i).grid, options.treatment.format);
            linears.push_back({i, out.activations.input(i).channel_energy, !coarse});
        }
        out.screened = screen_causes(model, engine, windows, options.treatment.format, linears, options.seed);
        nominees.add(out.screened, options.noise_floor);
    }
    out.linears = nominees.take();
    return out;
}

}  // namespace assay
