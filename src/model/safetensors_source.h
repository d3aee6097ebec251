// A safetensors folder as a source of weights: names and order are Hugging Face's already. Scales
// (NAME_scale, NAME_scale_inv) are part of the weight they belong to, not tensors of their own.
#pragma once

#include "container/safetensors.h"
#include "model/quantization_config.h"
#include "model/scaled_weight.h"
#include "model/weight_source.h"

namespace assay {

class SafetensorsSource final : public WeightSource {
  public:
    explicit SafetensorsSource(SafetensorsSet set, QuantizedStorage storage = {})
        : set_(std::move(set)), storage_(std::move(storage)) {}

    std::vector<StoredTensor> tensors() const override;
    bool contains(std::string_view name) const override {
        return set_.tensors().contains(name) && !is_scale(set_.tensors(), name);
    }
    Shape shape(std::string_view name) const override { return find(name).numbers->shape; }
    std::string place(std::string_view name) const override;
    void read(std::string_view name, std::int64_t first_row, MatrixView<float> out) const override;
    const SafetensorsSet& set() const { return set_; }

  private:
    ScaledWeight find(std::string_view name) const;

    SafetensorsSet set_;
    QuantizedStorage storage_;
};

}  // namespace assay
