// A safetensors folder as a source of weights: names and order are Hugging Face's already.
#pragma once

#include "container/safetensors.h"
#include "model/weight_source.h"

namespace assay {

class SafetensorsSource final : public WeightSource {
  public:
    explicit SafetensorsSource(SafetensorsSet set) : set_(std::move(set)) {}

    std::vector<StoredTensor> tensors() const override;
    bool contains(std::string_view name) const override { return set_.tensors().contains(name); }
    Shape shape(std::string_view name) const override { return find(name).shape; }
    std::string place(std::string_view name) const override;
    void read(std::string_view name, std::int64_t first_row, MatrixView<float> out) const override;
    const SafetensorsSet& set() const { return set_; }

  private:
    const TensorView& find(std::string_view name) const;

    SafetensorsSet set_;
};

}  // namespace assay
