#include "model/random_model.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "model/architectures.h"

namespace assay {

std::vector<StoredTensor> MemoryWeights::tensors() const {
    std::vector<StoredTensor> all;
    for (const auto& [name, m] : matrices) {
        all.push_back(
            {name, "f32", {m.rows(), m.cols()}, static_cast<std::uint64_t>(m.rows() * m.cols()) * 4});
    }
    for (const auto& [name, v] : vectors)
        all.push_back({name, "f32", {static_cast<std::int64_t>(v.size())}, v.size() * 4});
    std::sort(all.begin(), all.end(),
              [](const StoredTensor& a, const StoredTensor& b) { return a.name < b.name; });
    return all;
}

bool MemoryWeights::contains(std::string_view name) const {
    return matrices.find(name) != matrices.end() || vectors.find(name) != vectors.end();
}

Shape MemoryWeights::shape(std::string_view name) const {
    if (const auto m = matrices.find(name); m != matrices.end()) return {m->second.rows(), m->second.cols()};
    if (const auto v = vectors.find(name); v != vectors.end())
        return {static_cast<std::int64_t>(v->second.size())};
    throw FormatError(place(name) + " is missing");
}

void MemoryWeights::read(std::string_view name, std::int64_t first_row, MatrixView<float> out) const {
    if (const auto v = vectors.find(name); v != vectors.end()) {
        std::copy(v->second.begin(), v->second.end(), out.row(0).begin());
        return;
    }
    shape(name);  // throws where it is missing
    const Matrix<float>& m = matrices.find(name)->second;
    for (std::int64_t r = 0; r < out.rows(); ++r)
        std::copy(m.row(first_row + r).begin(), m.row(first_row + r).end(), out.row(r).begin());
}

std::shared_ptr<MemoryWeights> random_weights(const ModelConfig& config, std::uint64_t seed) {
    auto weights = std::make_shared<MemoryWeights>();
    Rng rng(seed);
    const auto matrix = [&](const std::string& name, std::int64_t out, std::int64_t in) {
        Matrix<float> m(out, in);
        const double scale = std::sqrt(3.0 / static_cast<double>(in));
        for (float& v : m.values()) v = static_cast<float>(scale * (2 * rng.uniform() - 1));
        weights->matrices[name] = std::move(m);
    };
    const auto vector = [&](const std::string& name, std::int64_t n, double center) {
        std::vector<float> v(static_cast<std::size_t>(n));
        for (float& x : v) x = static_cast<float>(center + 0.2 * (2 * rng.uniform() - 1));
        weights->vectors[name] = std::move(v);
    };
    for (const auto& [name, shape] : expected_tensors(config, make_blocks(config))) {
        if (shape.size() == 2)
            matrix(name, shape[0], shape[1]);
        else
            vector(name, shape[0], name.ends_with(".bias") ? 0 : 1 - config.norm_offset);
    }
    return weights;
}

ModelConfig small_llama_config() {
    ModelConfig config;
    config.architecture = "LlamaForCausalLM";
    config.hidden = 48;
    config.intermediate = 80;
    config.layers = 2;
    config.heads = 4;
    config.kv_heads = 2;
    config.head_dim = 12;
    config.vocabulary = 97;
    config.max_positions = 512;
    config.rms_eps = 1e-5;
    config.attention_scale = 1 / std::sqrt(12.0);
    config.rope.dimensions = 12;
    config.layer.resize(2);
    return config;
}

}  // namespace assay
