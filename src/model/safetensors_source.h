// A safetensors folder as a source of weights, under the names that models have on the hub. Scales
// (NAME_scale, NAME_scale_inv) are part of the weight they belong to, not tensors of their own.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "container/safetensors.h"
#include "model/architectures.h"
#include "model/quantization_config.h"
#include "model/scaled_weight.h"
#include "model/weight_source.h"

namespace assay {

class SafetensorsSource final : public WeightSource {
  public:
    // Where the architecture is given, what transformers 5 may store in another way than the hub is turned
    // back: fused experts (mlp.experts.gate_up_proj [experts, gate and up, in], mlp.experts.down_proj
    // [experts, out, in]) are one matrix each, named as the architecture names them, and the language model
    // of a multimodal class (language_model.model. or model.language_model.) is called model. Throws
    // FormatError where two tensors stand for one name.
    explicit SafetensorsSource(SafetensorsSet set, QuantizedStorage storage = {},
                               const Architecture* architecture = nullptr);

    std::vector<StoredTensor> tensors() const override;
    bool contains(std::string_view name) const override { return entries_.contains(name); }
    Shape shape(std::string_view name) const override;
    std::string place(std::string_view name) const override;
    void read(std::string_view name, std::int64_t first_row, MatrixView<float> out) const override;
    void fetch(std::string_view name) const override;
    void release(std::string_view name) const override;
    const SafetensorsSet& set() const { return set_; }

  private:
    // A tensor, or the rows of one expert.
    struct Entry {
        const std::string* stored = nullptr;  // its name in the files
        const TensorView* view = nullptr;
        Shape shape;
        std::int64_t first_row = 0;  // of all rows of the stored tensor
        // Found once: rows are read a few at a time. None of what cannot be read, which find() tells of.
        std::optional<ScaledWeight> weight = {};
    };

    void add(const std::string& name, Entry entry);
    void add_experts(const Architecture& architecture, const std::string& name, const Entry& all);
    ScaledWeight find(std::string_view name) const;
    std::span<const std::byte> bytes_of(const Entry& entry) const;

    SafetensorsSet set_;
    QuantizedStorage storage_;
    std::map<std::string, Entry, std::less<>> entries_;  // by the hub's name
};

}  // namespace assay
