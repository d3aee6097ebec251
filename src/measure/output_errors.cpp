#include "measure/output_errors.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "base/error.h"
#include "measure/runs.h"
#include "measure/window_groups.h"

namespace assay {
namespace {

// Sums over windows: ‖X Wᵀ‖², and ‖X ΔWᵀ‖² of each treatment.
struct OutputSums {
    double reference = 0;
    std::vector<double> errors;
};

class OutputErrorTap final : public Tap {
  public:
    OutputErrorTap(const Model& model, const Engine& engine, std::span<const WeightOverlay* const> treatments,
                   std::map<std::size_t, OutputSums>& sums)
        : model_(model), engine_(engine), treatments_(treatments), sums_(sums) {}

    void linear(const LinearItem& item, const compute::Batch& rows, const compute::Tensor& input,
                const compute::Tensor& /*output*/) override {
        const auto found = sums_.find(static_cast<std::size_t>(&item - model_.items().data()));
        if (found == sums_.end() || input.rows() == 0) return;
        OutputSums& sums = found->second;
        const Matrix<float> w = read_weight(model_.weights(), item.name);
        compute::Tensor y = engine_.backend.allocate(input.rows(), item.out),
                        other = engine_.backend.allocate(input.rows(), item.out);
        engine_.backend.linear(rows, input, *engine_.backend.pack_linear(w.view(), {}), nullptr, y);
        for (const compute::SquaredError& window : engine_.backend.squared_error(rows, y, y))
            sums.reference += window.reference;
        const std::int64_t bytes = 2 * 4 * w.rows() * w.cols();
        const auto fit =
            static_cast<std::size_t>(std::max<std::int64_t>(1, engine_.limits.head_bytes / bytes));
        for (std::size_t first = 0; first < treatments_.size(); first += fit) {
            const auto part = treatments_.subspan(first, std::min(fit, treatments_.size() - first));
            const auto packed = pack(item, w, part);
            for (std::size_t f = 0; f < part.size(); ++f) {
                if (!packed[f]) continue;
                engine_.backend.linear(rows, input, *packed[f], nullptr, other);
                // Of ΔY itself, or of f(X) beside Y.
                const bool whole = part[f]->rounds_inputs();
                for (const compute::SquaredError& window :
                     engine_.backend.squared_error(rows, whole ? y : other, other))
                    sums.errors[first + f] += whole ? window.error : window.reference;
            }
            engine_.cancel.check();
        }
    }
    void block(std::int64_t, const TokenChunk&, const compute::Tensor&) override {}

  private:
    // Each treatment's change of the weight w, or its operation where it rounds inputs; null where it leaves
    // the item as it is.
    std::vector<std::unique_ptr<compute::PackedLinear>> pack(
        const LinearItem& item, const Matrix<float>& w,
        std::span<const WeightOverlay* const> treatments) const {
        std::vector<std::unique_ptr<compute::PackedLinear>> packed(treatments.size());
        engine_.pool.for_each(std::ssize(treatments), [&](std::int64_t i) {
            const auto f = static_cast<std::size_t>(i);
            if (!treatments[f]->treats(item)) return;
            if (treatments[f]->rounds_inputs()) {
                packed[f] = engine_.backend.pack_rounded(treatments[f]->rounded(item, w.view()), {});
                return;
            }
            Matrix<float> change = w;
            treatments[f]->apply(item, change.view());
            for (std::size_t k = 0; k < w.values().size(); ++k) change.values()[k] -= w.values()[k];
            packed[f] = engine_.backend.pack_linear(change.view(), {});
        });
        return packed;
    }

    const Model& model_;
    const Engine& engine_;
    std::span<const WeightOverlay* const> treatments_;
    std::map<std::size_t, OutputSums>& sums_;
};

}  // namespace

std::vector<std::vector<double>> output_errors(const Model& model, const Engine& engine,
                                               std::span<const EvaluationWindow> windows,
                                               std::span<const std::size_t> items,
                                               std::span<const WeightOverlay* const> treatments) {
    if (windows.empty()) throw InvalidArgument("output errors need windows");
    std::map<std::size_t, OutputSums> sums;
    for (std::size_t i : items) {
        if (model.items().at(i).block < 0)
            throw InvalidArgument(model.items()[i].name + " has no input inside a block");
        sums[i].errors.assign(treatments.size(), 0.0);
    }
    const std::size_t group = windows_per_group(model, engine.backend, windows, 1, engine.limits.state_bytes);
    // A group goes on from the sums of those before it: its numbers are the sums so far.
    for_each_group(
        engine, windows, group, 1, "output errors",
        [&](std::span<const EvaluationWindow> part) {
            OutputErrorTap tap(model, engine, treatments, sums);
            run_pass(model, engine, make_chunks(part, engine.limits.chunk_rows), {.tap = &tap});
            std::vector<double> numbers;
            for (const auto& [item, own] : sums) {
                numbers.push_back(own.reference);
                append_list(own.errors, numbers);
            }
            return numbers;
        },
        [&](NumberReader& numbers, std::int64_t) {
            for (auto& [item, own] : sums) {
                own.reference = numbers.next();
                own.errors = numbers.next_list();
            }
        });
    std::vector<std::vector<double>> out;
    for (std::size_t i : items) {
        const OutputSums& own = sums.at(i);
        out.emplace_back();
        for (double error : own.errors)
            out.back().push_back(own.reference > 0 ? std::sqrt(error / own.reference) : 0);
    }
    return out;
}

}  // namespace assay
