// A treatment of its own for each linear.
#pragma once

#include <map>
#include <string>

#include "model/weight_overlay.h"
#include "records/treatment.h"

namespace assay {

// By name; other linears stay as they are. Thread-safe. Treatments are of methods that look at weights alone.
class MixedOverlay final : public WeightOverlay {
  public:
    explicit MixedOverlay(std::map<std::string, Treatment, std::less<>> treatments)
        : treatments_(std::move(treatments)) {}

    bool treats(const LinearItem& item) const override { return treatments_.contains(item.name); }
    void apply(const LinearItem& item, MatrixView<float> w) const override;

  private:
    std::map<std::string, Treatment, std::less<>> treatments_;
};

}  // namespace assay
