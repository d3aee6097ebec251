// Models and engines for tests: random windows, logits of a whole model, a model written as a GGUF file. Used
// by tests only.
#pragma once

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "model/architectures.h"
#include "model/gguf_test_files.h"
#include "model/pass.h"
#include "model/random_model.h"

namespace assay {

// Everything that a pass needs besides the model.
struct TestEngine {
    explicit TestEngine(int threads = 2) : pool(threads), backend(compute::make_cpu_backend(pool)) {}
    operator Engine() { return {*backend, pool, silent_progress(), cancel, limits}; }

    ThreadPool pool;
    CancelToken cancel;
    std::unique_ptr<compute::Backend> backend;
    MemoryLimits limits;
};

// Multiplies one item's weight by a factor.
class ScaleOverlay final : public WeightOverlay {
  public:
    ScaleOverlay(std::string name, float factor) : name_(std::move(name)), factor_(factor) {}
    bool treats(const LinearItem& item) const override { return item.name == name_; }
    void apply(const LinearItem& /*item*/, MatrixView<float> w) const override {
        for (std::int64_t r = 0; r < w.rows(); ++r) {
            for (float& v : w.row(r)) v *= factor_;
        }
    }

  private:
    std::string name_;
    float factor_;
};

inline Model random_model(const ModelConfig& config, std::uint64_t seed = 3) {
    return {"random", config, make_blocks(config), random_weights(config, seed)};
}

inline std::vector<TokenWindow> random_windows(const std::vector<int>& lengths, std::int64_t vocabulary,
                                               std::uint64_t seed = 5) {
    Rng rng(seed);
    std::vector<TokenWindow> windows;
    for (int n : lengths) {
        TokenWindow window;
        for (int i = 0; i < n; ++i)
            window.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(vocabulary))));
        windows.push_back(std::move(window));
    }
    return windows;
}

// Logits of all positions but the last, [tokens - 1, vocabulary].
inline Matrix<float> window_logits(const Model& model, const Engine& engine, const TokenWindow& window,
                                   const WeightOverlay* overlay = nullptr) {
    const auto chunks = make_chunks(std::vector<TokenWindow>{window}, 0, 4096);
    const PassResult pass = run_pass(model, engine, chunks, {.overlay = overlay});
    Matrix<float> logits(chunks[0].scored.rows(), model.config().vocabulary);
    const auto head = HeadReader(pass.reference.head, engine.backend).part(0, logits.cols());
    engine.backend.logits(chunks[0].scored, {&pass.reference.chunks[0], head.get()}, logits.view());
    return logits;
}

// Writes a Llama model as llama.cpp's converter would. `add_keys` adds metadata.
inline void write_llama_gguf(const std::filesystem::path& path, const ModelConfig& config,
                             const MemoryWeights& weights,
                             const std::function<void(GgufHeader&)>& add_keys = {}) {
    write_gguf(path, config, weights, add_keys);
}

}  // namespace assay
