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
#include "container/gguf_writer.h"
#include "model/architectures.h"
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

// "model.layers.1.mlp.up_proj.weight" -> "blk.1.ffn_up.weight"
inline std::string gguf_name(std::string name) {
    static const std::vector<std::pair<std::string, std::string>> kParts{
        {"model.layers.", "blk."},        {"model.embed_tokens", "token_embd"},
        {"model.norm", "output_norm"},    {"lm_head", "output"},
        {"input_layernorm", "attn_norm"}, {"post_attention_layernorm", "ffn_norm"},
        {"self_attn.q_proj", "attn_q"},   {"self_attn.k_proj", "attn_k"},
        {"self_attn.v_proj", "attn_v"},   {"self_attn.o_proj", "attn_output"},
        {"mlp.gate_proj", "ffn_gate"},    {"mlp.up_proj", "ffn_up"},
        {"mlp.down_proj", "ffn_down"},
    };
    for (const auto& [from, to] : kParts) {
        if (const auto at = name.find(from); at != std::string::npos) name.replace(at, from.size(), to);
    }
    return name;
}

// llama.cpp's permute of q and k: within a head, row 2i + s of the file is row s·d/2 + i of the model. As
// reshape(heads, 2, d/2, cols).swapaxes(1, 2) does it.
inline std::vector<float> permuted_rows(std::span<const float> values, std::int64_t rows,
                                        std::int64_t heads) {
    const std::int64_t cols = static_cast<std::int64_t>(values.size()) / rows, half = rows / heads / 2;
    std::vector<float> out;
    for (std::int64_t h = 0; h < heads; ++h) {
        for (std::int64_t i = 0; i < half; ++i) {
            for (std::int64_t s = 0; s < 2; ++s) {
                const auto row =
                    values.subspan(static_cast<std::size_t>((h * 2 * half + s * half + i) * cols),
                                   static_cast<std::size_t>(cols));
                out.insert(out.end(), row.begin(), row.end());
            }
        }
    }
    return out;
}

inline void set_llama_metadata(GgufHeader& header, const ModelConfig& config) {
    const auto u32 = [&](const char* key, std::int64_t value) {
        header.set_u32(key, static_cast<std::uint32_t>(value));
    };
    header.set_string("general.architecture", "llama");
    u32("llama.embedding_length", config.hidden);
    u32("llama.feed_forward_length", config.intermediate);
    u32("llama.block_count", config.layers);
    u32("llama.attention.head_count", config.heads);
    u32("llama.attention.head_count_kv", config.kv_heads);
    u32("llama.attention.key_length", config.head_dim);
    u32("llama.context_length", config.max_positions);
    u32("llama.rope.dimension_count", config.head_dim);
    header.set_f32("llama.attention.layer_norm_rms_epsilon", static_cast<float>(config.rms_eps));
    header.set_f32("llama.rope.freq_base", static_cast<float>(config.rope.theta));
}

// Writes the model as llama.cpp's converter would, in f32: GGUF names, q and k rows permuted. `add_keys` adds
// metadata.
inline void write_llama_gguf(const std::filesystem::path& path, const ModelConfig& config,
                             const MemoryWeights& weights,
                             const std::function<void(GgufHeader&)>& add_keys = {}) {
    GgufHeader header;
    set_llama_metadata(header, config);
    if (add_keys) add_keys(header);
    std::vector<std::pair<std::string, std::vector<float>>> tensors;
    const auto add = [&](const std::string& name, std::span<const float> values, const Shape& shape) {
        const bool q = name.find(".q_proj.") != std::string::npos,
                   k = name.find(".k_proj.") != std::string::npos;
        const bool permuted = q || k;
        std::vector<float> stored(values.begin(), values.end());
        if (permuted) stored = permuted_rows(values, shape[0], q ? config.heads : config.kv_heads);
        header.add_tensor(gguf_name(name), GgmlType::kF32, shape);
        tensors.emplace_back(gguf_name(name), std::move(stored));
    };
    for (const auto& [name, m] : weights.matrices) add(name, m.values(), {m.rows(), m.cols()});
    for (const auto& [name, v] : weights.vectors) add(name, v, {static_cast<std::int64_t>(v.size())});
    GgufWriter writer(path, header);
    for (const auto& [name, values] : tensors) writer.write(name, std::as_bytes(std::span(values)));
    writer.commit();
}

}  // namespace assay
