// The swaps that findings compare: one linear rounded in several ways, and the same on its twins.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/pass.h"
#include "quantize/weight_checks.h"
#include "records/treatment.h"

namespace assay {

inline constexpr std::size_t kTwinDraws = 3;
inline constexpr double kOutlierShare = 0.005;  // of weights, by |w|
inline constexpr double kSalientShare = 0.01;   // of input channels, by energy
inline constexpr std::int64_t kSmallGroup = 32;
inline constexpr std::int64_t kKeptValueBytes = 2;  // 16 bits
inline constexpr std::int64_t kKeptIndexBytes = 4;

// Changes a weight [out, in] in place.
using WeightChange = std::function<void(MatrixView<float>, ThreadPool&)>;

// Swaps, each a change of one item. Forks point into it: it must outlive them and stay where it is.
class SwapList {
  public:
    // Returns the swap's index. Where the change throws a NumericError, the item is named.
    std::size_t add(std::size_t item, WeightChange change);
    const std::vector<Fork>& forks() const { return forks_; }

  private:
    class Overlay final : public WeightOverlay {
      public:
        explicit Overlay(WeightChange change) : change_(std::move(change)) {}
        bool treats(const LinearItem&) const override { return true; }
        void apply(const LinearItem& item, MatrixView<float> w) const override;

      private:
        WeightChange change_;
    };

    std::deque<Overlay> overlays_;
    std::vector<Fork> forks_;
};

// Another way to store the linear.
struct PlannedRemedy {
    std::string name;
    std::optional<std::size_t> swap;  // none: it stays as it is, without damage
    std::int64_t bytes = 0;           // more than with the treatment
};

// An intervention against one cause, and what it is compared with.
struct PlannedCause {
    std::string cause;
    std::size_t remedy = 0;               // index into the plan's remedies: the intervention alone
    std::size_t before = 0, after = 0;    // swaps without and with the intervention
    std::vector<std::size_t> twins;       // swaps of the intervention on twins
    std::vector<std::size_t> twin_bases;  // swaps without it on the same twins
    std::vector<std::size_t> remedies;    // what may be offered
};

struct LinearPlan {
    std::size_t item = 0;
    std::size_t base = 0;            // swap of the treatment
    std::vector<std::size_t> noise;  // swaps of random changes of the same size
    std::vector<std::size_t> bases;  // swaps of Gaussian twins without the interventions on weights
    std::vector<PlannedCause> causes;
    std::vector<PlannedRemedy> remedies;
    std::vector<std::size_t> more_bits;      // remedies that only spend bits
    std::optional<std::size_t> own_grid;     // remedy: the grid that the weights lie on
    std::optional<std::size_t> wider_scale;  // remedy: scales of a type with more exponent bits
};

// What is known of a linear before.
struct LinearFacts {
    std::size_t item = 0;
    std::optional<WeightGrid> grid;
    WeightNumerics numerics;
    std::span<const double> energies;  // of its input channels
};

// Adds a linear's swaps:
//   real weights: the treatment f; f but the largest kOutlierShare of |w|; f in groups of kSmallGroup; f
//     clipped; f but the kSalientShare of channels with most energy; f with more bits
//   the interventions on weights once more, with the salient channels kept in what they are compared with
//     and in their Gaussian twins T of the same row norms, kTwinDraws of them, W + (f(T) - T), too: where a
//     few channels carry most of the damage, its size is luck, and what happens to the others does not show
//   real weights with as many random channels kept, kTwinDraws times; W + noise of the size of f(W) - W
// Interventions that the format does not allow are left out, and those on the weights of a linear that lies
// on a grid hardly finer than the format's own: there the grid, not the weights, decides what rounds well.
// Throws: InvalidArgument for a method other than rtn.
LinearPlan plan_experiments(const Model& model, const Treatment& treatment, const LinearFacts& facts,
                            std::uint64_t seed, SwapList& swaps);

// The most swaps that plan_experiments() adds for one linear.
inline constexpr std::size_t kMostSwaps = 11 + 6 * kTwinDraws;

// Whether the grid explains how the weights round in the format: it has at most one bit more.
bool grid_decides(const std::optional<WeightGrid>& grid, const NumberFormat& format);

}  // namespace assay
