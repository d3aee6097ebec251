// A model without weights: the tensors that its config calls for, as if stored in bf16. For predictions.
#pragma once

#include <map>

#include "model/block_program.h"
#include "model/config.h"
#include "model/weight_source.h"

namespace assay {

class ShapeSource final : public WeightSource {
  public:
    explicit ShapeSource(const ModelConfig& config);

    std::vector<StoredTensor> tensors() const override;
    bool contains(std::string_view name) const override { return shapes_.contains(name); }
    Shape shape(std::string_view name) const override;
    std::string place(std::string_view name) const override;
    // Throws InvalidArgument: there is nothing to read.
    void read(std::string_view name, std::int64_t first_row, MatrixView<float> out) const override;

  private:
    std::map<std::string, Shape, std::less<>> shapes_;
};

}  // namespace assay
