#include "model/architectures/hf_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/architectures.h"
#include "model/rope.h"

namespace assay {
namespace {

using Scaling = RopeConfig::Scaling;

// The shortest decimal of an f32: GGUF's 9.99999975e-06 is the 1e-05 that its maker read.
double shortest(double value) {
    return std::stod(fmt::format("{}", static_cast<float>(value)));
}

Json shortest(const std::vector<float>& values) {
    Json out = Json::array();
    for (float v : values) out.push_back(shortest(static_cast<double>(v)));
    return out;
}

Json llama3_json(const RopeConfig& rope) {
    return {{"rope_type", "llama3"},
            {"factor", rope.factor},
            {"low_freq_factor", rope.low_freq_factor},
            {"high_freq_factor", rope.high_freq_factor},
            {"original_max_position_embeddings", static_cast<std::int64_t>(rope.original_max_positions)}};
}

// GGUF keeps llama3 scaling as divisors only. The parameters of the released models are tried; whichever
// gives the same frequencies is what the file was made from.
Json scaling_of_divisors(const RopeConfig& rope) {
    const auto wanted = rope_frequencies(rope);
    for (double factor : {8.0, 32.0}) {
        RopeConfig tried = rope;
        tried.divisors.clear();
        tried.scaling = Scaling::kLlama3;
        tried.factor = factor;
        tried.original_max_positions = 8192;
        const auto frequencies = rope_frequencies(tried);
        bool same = true;
        for (std::size_t i = 0; i < wanted.size(); ++i)
            same = same && std::abs(frequencies[i] - wanted[i]) <= 1e-5f * wanted[i];
        if (same) return llama3_json(tried);
    }
    throw Unsupported(
        "rope_freqs.weight holds frequency divisors that no known rope_scaling of a config.json gives");
}

Json rope_scaling(const RopeConfig& rope) {
    const auto original = static_cast<std::int64_t>(rope.original_max_positions);
    switch (rope.scaling) {
        case Scaling::kNone:
            return rope.divisors.empty() ? Json() : scaling_of_divisors(rope);
        case Scaling::kLinear:
            return {{"rope_type", "linear"}, {"factor", rope.factor}};
        case Scaling::kLlama3:
            return llama3_json(rope);
        case Scaling::kYarn:
            return {{"rope_type", "yarn"},
                    {"factor", rope.factor},
                    {"original_max_position_embeddings", original},
                    {"beta_fast", rope.beta_fast},
                    {"beta_slow", rope.beta_slow},
                    {"truncate", rope.truncate},
                    {"attention_factor", rope.attention_factor}};
        case Scaling::kLongrope:
            return {{"rope_type", "longrope"},
                    {"short_factor", shortest(rope.divisors)},
                    {"long_factor", shortest(rope.long_divisors)},
                    {"original_max_position_embeddings", original},
                    {"attention_factor", rope.attention_factor}};
    }
    return {};
}

std::int64_t window_of(const ModelConfig& c) {
    std::int64_t window = 0;
    for (const LayerConfig& layer : c.layer) window = std::max(window, layer.window);
    return window;
}

void write_window(const ModelConfig& c, Json& out) {
    const std::int64_t window = window_of(c);
    out["sliding_window"] = window > 0 ? Json(window) : Json();
}

void write_layer_types(const ModelConfig& c, Json& out) {
    Json types = Json::array();
    for (const LayerConfig& layer : c.layer)
        types.push_back(layer.window > 0 ? "sliding_attention" : "full_attention");
    out["layer_types"] = std::move(types);
}

void write_qwen_windows(const ModelConfig& c, Json& out) {
    write_window(c, out);
    out["use_sliding_window"] = window_of(c) > 0;
    if (window_of(c) > 0 && c.architecture != "Qwen3MoeForCausalLM") write_layer_types(c, out);
}

void write_qwen_experts(const ModelConfig& c, Json& out) {
    out["num_experts"] = c.experts.count;
    out["num_experts_per_tok"] = c.experts.per_token;
    out["moe_intermediate_size"] = c.experts.intermediate;
    out["norm_topk_prob"] = c.experts.renormalise;
    out["decoder_sparse_step"] = 1;
    Json dense = Json::array();
    for (std::size_t i = 0; i < c.layer.size(); ++i) {
        if (!c.layer[i].experts) dense.push_back(i);
    }
    out["mlp_only_layers"] = std::move(dense);
}

Json cap(double value) {
    return value > 0 ? Json(value) : Json();
}

void write_gemma(const ModelConfig& c, Json& out) {
    out["hidden_activation"] = out["hidden_act"];
    out.erase("hidden_act");
    out["attention_bias"] = c.qkv_bias;
    out["query_pre_attn_scalar"] = std::llround(1 / (c.attention_scale * c.attention_scale));
    out["attn_logit_softcapping"] = cap(c.attention_softcap);
    out["final_logit_softcapping"] = cap(c.final_softcap);
    write_window(c, out);
    write_layer_types(c, out);
    if (c.architecture == "Gemma3ForCausalLM") out["rope_local_base_freq"] = shortest(c.local_rope.theta);
}

// What a family has beside the base.
void write_family(const ModelConfig& c, Json& out) {
    const std::string& name = c.architecture;
    if (name == "LlamaForCausalLM") {
        out["attention_bias"] = c.qkv_bias;
        out["mlp_bias"] = c.mlp_bias;
    } else if (name == "MistralForCausalLM" || name == "Phi3ForCausalLM") {
        write_window(c, out);
    } else if (name == "MixtralForCausalLM") {
        write_window(c, out);
        out["num_local_experts"] = c.experts.count;
        out["num_experts_per_tok"] = c.experts.per_token;
    } else if (name == "Qwen2ForCausalLM") {
        write_qwen_windows(c, out);
    } else if (name == "Qwen3ForCausalLM") {
        out["attention_bias"] = c.qkv_bias;
        write_qwen_windows(c, out);
    } else if (name == "Qwen2MoeForCausalLM") {
        out["qkv_bias"] = c.qkv_bias;
        write_qwen_windows(c, out);
        write_qwen_experts(c, out);
        out["shared_expert_intermediate_size"] = c.experts.shared_intermediate;
    } else if (name == "Qwen3MoeForCausalLM") {
        out["attention_bias"] = c.qkv_bias;
        write_qwen_windows(c, out);
        write_qwen_experts(c, out);
    } else if (name == "Gemma2ForCausalLM" || name == "Gemma3ForCausalLM") {
        write_gemma(c, out);
    } else if (name == "Olmo2ForCausalLM") {
        out["attention_bias"] = c.qkv_bias;
    }
}

// What a config.json of the architecture cannot say, for errors.
std::string difference(const ModelConfig& a, const ModelConfig& b) {
    if (a.qkv_bias != b.qkv_bias || a.output_bias != b.output_bias || a.mlp_bias != b.mlp_bias)
        return "which linears have biases";
    if (a.layer != b.layer) return "its layers' windows or experts";
    if (a.rope != b.rope || a.local_rope != b.local_rope) return "its rope";
    if (a.experts != b.experts) return "its experts";
    return a.attention_scale != b.attention_scale ? "its attention scale" : "its sizes or scales";
}

// Reads the written config back.
void check(const ModelConfig& c, const Json& written) {
    const Architecture& row = find_hf_architecture(c.architecture, "model");
    ModelConfig parsed = row.parse_hf(written, "config.json"), wanted = c;
    parsed.architecture = c.architecture;
    wanted.rms_eps = shortest(c.rms_eps);
    wanted.rope.theta = shortest(c.rope.theta);
    wanted.local_rope.theta = shortest(c.local_rope.theta);
    if (c.rope.scaling == Scaling::kNone && !c.rope.divisors.empty()) wanted.rope = parsed.rope;
    if (parsed == wanted) return;
    throw Unsupported(fmt::format("no config.json of {} describes this model: it differs in {}",
                                  c.architecture, difference(parsed, wanted)));
}

}  // namespace

Json write_hf_config(const ModelConfig& c) {
    Json out{{"architectures", {c.architecture}},
             {"model_type", find_hf_architecture(c.architecture, "model").model_type},
             {"hidden_size", c.hidden},
             {"intermediate_size", c.intermediate},
             {"num_hidden_layers", c.layers},
             {"num_attention_heads", c.heads},
             {"num_key_value_heads", c.kv_heads},
             {"head_dim", c.head_dim},
             {"vocab_size", c.vocabulary},
             {"max_position_embeddings", c.max_positions},
             {"rms_norm_eps", shortest(c.rms_eps)},
             {"rope_theta", shortest(c.rope.theta)},
             {"rope_scaling", rope_scaling(c.rope)},
             {"tie_word_embeddings", c.tied_head},
             {"hidden_act", c.activation == compute::Activation::kSilu ? "silu" : "gelu_pytorch_tanh"}};
    if (c.rope.dimensions != c.head_dim)
        out["partial_rotary_factor"] =
            static_cast<double>(c.rope.dimensions) / static_cast<double>(c.head_dim);
    if (c.rope.scaling == Scaling::kLongrope)
        out["original_max_position_embeddings"] = static_cast<std::int64_t>(c.rope.original_max_positions);
    write_family(c, out);
    check(c, out);
    return out;
}

}  // namespace assay
