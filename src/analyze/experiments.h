// The swaps that findings compare: one linear rounded in several ways, and the same on its twins.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analyze/weight_changes.h"
#include "model/pass.h"
#include "quantize/weight_checks.h"
#include "records/treatment.h"

namespace assay {

inline constexpr std::size_t kNoiseDraws = 3;
inline constexpr std::int64_t kKeptValueBytes = 2;  // 16 bits
inline constexpr std::int64_t kKeptIndexBytes = 4;

// Swaps, each a change of one item. Forks point into it: it must outlive them and stay where it is.
class SwapList {
  public:
    // Returns the swap's index. Where the change throws a NumericError, the item is named.
    std::size_t add(std::size_t item, WeightChange change);
    std::size_t add(std::size_t item, const WeightOverlay* overlay);  // which must outlive the list
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

// Swaps of noise with the local sizes of a rounding's errors, one a draw.
using NoiseSwaps = std::vector<std::size_t>;

// An intervention against one cause, and the same on the null twin.
struct PlannedCause {
    Cause cause = Cause::kSalientChannels;
    std::size_t remedy = 0;              // index into the plan's remedies: the intervention alone
    NoiseSwaps before, after;            // without and with the intervention
    NoiseSwaps twin_before, twin_after;  // draw by draw under the same signs
    std::vector<std::size_t> remedies;   // what may be offered
};

struct LinearPlan {
    std::size_t item = 0;
    std::size_t base = 0;            // swap of the treatment
    std::vector<std::size_t> noise;  // swaps of random changes of the same size in each row
    std::vector<PlannedCause> causes;
    std::vector<PlannedRemedy> remedies;
    std::vector<std::size_t> more_bits;      // remedies that only spend bits
    std::optional<std::size_t> calibrated;   // remedy: codes chosen by the inputs' statistics
    std::optional<std::size_t> own_grid;     // remedy: the grid that the weights lie on
    std::optional<std::size_t> wider_scale;  // remedy: scales of a type with more exponent bits
};

// What is known of a linear before.
struct LinearFacts {
    std::size_t item = 0;
    std::optional<WeightGrid> grid;
    WeightNumerics numerics;
    std::span<const double> energies;           // of its input channels
    std::vector<Cause> causes;                  // that it is suspected of
    const WeightOverlay* calibrated = nullptr;  // the same format with codes chosen by the inputs' statistics
};

// Adds a linear's swaps:
//   the treatment f, and each remedy: f with more bits, with codes chosen by the inputs' statistics; for each
//   cause that is suspected its intervention
//     (analyze/weight_changes.h), and for outliers the other two, too
//   W + noise of the size of f(W) - W in each row, kNoiseDraws times
//   for each suspected cause, kNoiseDraws times: noise with the local sizes of the errors of rounding without
//     and with the intervention, on the linear and on its null twin, all under the same signs. Null twins: as
//     many random channels kept; for causes of the weights, Gaussian weights of the same row norms. The
//     latter have the salient channels kept in all of these swaps: where a few channels carry most of the
//     damage, what happens to the others does not show.
// Throws: InvalidArgument for a method other than rtn.
LinearPlan plan_experiments(const Model& model, const Treatment& treatment, const LinearFacts& facts,
                            std::uint64_t seed, SwapList& swaps);

// Swaps that plan_experiments() adds for one linear: at most, and where it is suspected of one cause.
inline constexpr std::size_t kMostSwaps = 9 + kNoiseDraws * 11;
inline constexpr std::size_t kUsualSwaps = 5 + kNoiseDraws * 5;

// The format with codes chosen by the statistics of the inputs: GPTQ, columns by energy.
Treatment calibrated_treatment(const NumberFormat& format);

// Whether the grid explains how the weights round in the format: it has at most one bit more.
bool grid_decides(const std::optional<WeightGrid>& grid, const NumberFormat& format);

}  // namespace assay
