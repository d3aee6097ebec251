// A model with seeded random weights in memory, for tests and benchmarks of what does not depend on real
// weights.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "model/model.h"

namespace assay {

// Weights that tests may look at and change by name.
class MemoryWeights final : public WeightSource {
  public:
    std::map<std::string, Matrix<float>, std::less<>> matrices;  // linears and embeddings [out, in]
    std::map<std::string, std::vector<float>, std::less<>> vectors;

    std::vector<StoredTensor> tensors() const override;
    bool contains(std::string_view name) const override;
    Shape shape(std::string_view name) const override;
    std::string place(std::string_view name) const override { return "tensor " + std::string(name); }
    void read(std::string_view name, std::int64_t first_row, MatrixView<float> out) const override;
};

// Random weights of config.architecture: uniform with standard deviation 1/sqrt(in), norms near one, biases
// where the config has them.
std::shared_ptr<MemoryWeights> random_weights(const ModelConfig& config, std::uint64_t seed);

// A small Llama config for tests: hidden 48, 2 layers, 4 heads of 12 sharing 2 key/value heads, vocabulary
// 97, untied.
ModelConfig small_llama_config();

}  // namespace assay
