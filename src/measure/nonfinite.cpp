#include "measure/nonfinite.h"

#include <cmath>

namespace assay {
namespace {

class NonfiniteTap final : public Tap {
  public:
    explicit NonfiniteTap(compute::Backend& backend) : backend_(backend) {}

    void linear(const LinearItem& item, const compute::Batch& rows, const compute::Tensor&,
                const compute::Tensor& output) override {
        if (first_) return;
        for (const compute::SquaredError& sums : backend_.squared_error(rows, output, output)) {
            if (!std::isfinite(sums.reference)) first_ = item.name;
        }
    }
    void block(std::int64_t, const TokenChunk&, const compute::Tensor&) override {}

    std::optional<std::string> first() const { return first_; }

  private:
    compute::Backend& backend_;
    std::optional<std::string> first_;
};

}  // namespace

std::optional<std::string> first_nonfinite_output(const Model& model, const Engine& engine,
                                                  std::span<const TokenChunk> chunks,
                                                  const WeightOverlay* overlay) {
    NonfiniteTap tap(engine.backend);
    run_pass(model, engine, chunks, {.overlay = overlay, .tap = &tap});
    return tap.first();
}

}  // namespace assay
