// What all architectures' config.json parsers share. Private to the architectures.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "container/json.h"
#include "model/config.h"

namespace assay {

// Defaults of a family that differ from transformers' usual ones.
struct HfDefaults {
    double theta = 10000;
    double rms_eps = 1e-6;
    std::int64_t max_positions = 2048;
    std::int64_t vocabulary = 0;  // 0: vocab_size must be given
    std::int64_t heads = 0;       // 0: num_attention_heads must be given
    std::int64_t kv_heads = 0;    // where the key is absent; 0, and for null: as many as heads
    std::int64_t head_dim = 0;    // 0: hidden / heads
    bool tied_head = false;
    bool phi_rope = false;    // rotates parts of heads; its only scaling is longrope, also under old names
    bool typed_rope = false;  // rope parameters by layer type, which the family reads itself
    std::string_view activation_key = "hidden_act";
    std::string_view activation = "silu";
};

// Sizes, epsilon, tying, activation and rope, flat (rope_theta, rope_scaling) or nested (rope_parameters),
// where both exist rope_scaling wins, as in transformers; absent keys have transformers' defaults. Layers are
// all alike, attention scale is head_dim^-1/2. `handled` are the further keys that the family reads: any
// other one that changes what a model computes is refused. Throws FormatError for missing or misshapen keys,
// Unsupported for values that are not handled.
ModelConfig parse_hf_base(const Json& config, std::string_view what, const HfDefaults& defaults,
                          std::span<const std::string_view> handled);

// rope_scaling or rope_parameters, and in `where` what errors call it; null where the config has neither.
// Throws Unsupported for parameters by layer type.
const Json* hf_rope_parameters(const Json& config, std::string_view what, std::string& where);

// Rotation by `parameters`, which `where` names (null: none but theta), for heads of out.head_dim; `theta`
// holds where they have no rope_theta. Reads the config's outer original_max_position_embeddings, too.
RopeConfig parse_hf_rope(const Json& config, std::string_view what, const Json* parameters,
                         const std::string& where, double theta, const HfDefaults& defaults,
                         const ModelConfig& out);

// Sliding windows where `slides` says so, or, for families that read layer_types, where those do.
void set_hf_windows(const Json& config, std::string_view what, std::int64_t window,
                    const std::function<bool(std::int64_t)>& slides, ModelConfig& out);

// Windows in all layers; 0: none. layer_types, which transformers ignores in such families, must agree.
void set_hf_window_everywhere(const Json& config, std::string_view what, std::int64_t window,
                              ModelConfig& out);

// A size between 1 and 2^31, with and without a default.
std::int64_t hf_size(const Json& config, std::string_view key, std::string_view what);
std::int64_t hf_size(const Json& config, std::string_view key, std::string_view what, std::int64_t absent);

// A key that changes what a model computes, for whoever does not read it.
struct FunctionKey {
    std::string_view key;
    bool (*neutral)(const Json& value);  // values that change nothing
};
std::span<const FunctionKey> function_keys();

}  // namespace assay
