// What all architectures' config.json parsers share. Private to the architectures.
#pragma once

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
    std::int64_t head_dim = 0;  // 0: hidden / heads
    bool tied_head = false;
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

// rope_parameters' or rope_scaling's object for a layer type, or for all ("").
RopeConfig parse_hf_rope(const Json& config, std::string_view what, std::string_view layer_type, double theta,
                         std::int64_t head_dim, std::int64_t max_positions);

// Sliding windows by layer_types where the config has them, else where `slides` says so.
void set_hf_windows(const Json& config, std::string_view what, std::int64_t window,
                    bool (*slides)(std::int64_t), ModelConfig& out);

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
