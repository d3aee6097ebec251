#!/usr/bin/env python3
"""Writes tests/data/config_golden.json: config.json texts of all supported families and what transformers makes of them.

    tools/make_config_golden.py [tests/data/config_golden.json]

Each case is a config and, measured on a tiny random model that transformers builds from it and runs once over TOKENS
tokens: sizes, epsilon, biases, activation, the keys that the last position of each layer's attention mask lets in, cosines
and sines that each layer's attention gets (at POSITION, of every rope_step-th pair), experts; or {"refused": true} where
transformers refuses the config.
Made with transformers 5.23 and torch 2.15 (tools/requirements.txt).
"""
import json
import math
import sys
from pathlib import Path

import torch
import transformers

TOKENS = 48
POSITION = 5
LEAST = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4, "vocab_size": 97}
CLASSES = {
    "LlamaForCausalLM": "llama", "MistralForCausalLM": "mistral", "MixtralForCausalLM": "mixtral", "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3", "Qwen2MoeForCausalLM": "qwen2_moe", "Qwen3MoeForCausalLM": "qwen3_moe",
    "Phi3ForCausalLM": "phi3", "Gemma2ForCausalLM": "gemma2", "Gemma3ForCausalLM": "gemma3_text", "Olmo2ForCausalLM": "olmo2",
}
# Where the default is many key/value heads, there must be as many heads.
DEFAULT_HEADS = {
    "MistralForCausalLM": {"num_attention_heads": 8}, "MixtralForCausalLM": {"num_attention_heads": 8},
    "Qwen2ForCausalLM": {"num_attention_heads": 32}, "Qwen3ForCausalLM": {"num_attention_heads": 32},
    "Qwen2MoeForCausalLM": {"num_attention_heads": 16},
}


def ramp(n, a, b):
    return [round(a + (b - a) * i / max(n - 1, 1), 4) for i in range(n)]


def yarn(**more):
    return {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, **more}


def cases():
    kv = {"num_key_value_heads": 2}
    all_families = {
        "least": {},
        "kv_heads": kv,
        "theta": {"rope_theta": 5000.0, **kv},
        "nested_theta": {"rope_parameters": {"rope_type": "default", "rope_theta": 5000.0}, **kv},
        "eps": {"rms_norm_eps": 1e-3, **kv},
        "head_dim": {"head_dim": 32, **kv},
        "tied": {"tie_word_embeddings": True, **kv},
        "untied": {"tie_word_embeddings": False, **kv},
        "positions": {"max_position_embeddings": 777, **kv},
        "linear": {"rope_scaling": {"type": "linear", "factor": 4.0}, **kv},
        "dynamic": {"rope_scaling": {"rope_type": "dynamic", "factor": 4.0}, **kv},
        "yarn": {"rope_scaling": yarn(), **kv},
        "llama3": {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                    "original_max_position_embeddings": 64}, **kv},
        "bias": {"attention_bias": True, **kv},
        "gelu": {"hidden_act": "gelu_pytorch_tanh", **kv},
    }
    for architecture in CLASSES:
        for name, change in all_families.items():
            if architecture == "Gemma3ForCausalLM" and name == "nested_theta":
                continue  # one dictionary a layer type there
            if architecture == "Phi3ForCausalLM" and name in ("head_dim", "linear", "dynamic", "yarn", "llama3"):
                continue  # longrope only; head_dim is not a key of it
            if architecture == "MixtralForCausalLM" and name in ("dynamic", "yarn"):
                change = {**change, "head_dim": 16}  # transformers needs it there
            if name == "bias" and architecture in ("MistralForCausalLM", "MixtralForCausalLM", "Qwen2ForCausalLM",
                                                   "Qwen2MoeForCausalLM", "Phi3ForCausalLM"):
                continue  # not a key of these: refused by Assay, ignored by transformers
            yield architecture, name, change
    llama, mistral, phi, gemma2, gemma3 = ("LlamaForCausalLM", "MistralForCausalLM", "Phi3ForCausalLM",
                                           "Gemma2ForCausalLM", "Gemma3ForCausalLM")
    yield llama, "null_kv_heads", {"num_key_value_heads": None, "head_dim": None, "rope_scaling": None}
    yield llama, "mlp_bias", {"mlp_bias": True}
    yield llama, "scaling_beats_parameters", {"rope_scaling": {"rope_type": "linear", "factor": 2.0},
                                             "rope_parameters": {"rope_type": "linear", "factor": 3.0, "rope_theta": 7.0}}
    yield llama, "empty_scaling", {"rope_scaling": {}, "rope_parameters": {"rope_type": "linear", "factor": 3.0}}
    yield llama, "rope_type_beats_type", {"rope_scaling": {"type": "linear", "rope_type": "default", "factor": 2.0}}
    yield llama, "llama3_outer_original", {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                                           "high_freq_factor": 4.0, "original_max_position_embeddings": 64},
                                          "original_max_position_embeddings": 32}
    yield llama, "llama3_no_original", {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                                        "high_freq_factor": 4.0}, "max_position_embeddings": 128}
    for name, more in {"attention_factor": {"attention_factor": 1.5}, "mscale": {"mscale": 0.7, "mscale_all_dim": 1.3},
                       "mscale_alone": {"mscale": 0.7}, "betas": {"beta_fast": 20, "beta_slow": 2},
                       "zero_beta": {"beta_fast": 0}, "whole_ramp": {"truncate": False},
                       "small_factor": {"factor": 0.5}, "null_factor": {"factor": None}}.items():
        yield llama, "yarn_" + name, {"rope_scaling": yarn(**more), "max_position_embeddings": 256}
    yield llama, "yarn_outer_original", {"rope_scaling": yarn(), "original_max_position_embeddings": 32}
    no_original = yarn()
    del no_original["original_max_position_embeddings"]
    yield llama, "yarn_no_original", {"rope_scaling": no_original, "max_position_embeddings": 128}
    yield llama, "yarn_nested", {"rope_parameters": yarn(rope_theta=3000.0)}

    long = {"short_factor": ramp(8, 1, 1.5), "long_factor": ramp(8, 1.2, 6)}
    for name, rope, outer in (
            ("longrope_short", {"rope_type": "longrope"}, {"original_max_position_embeddings": 64}),
            ("longrope_long", {"rope_type": "longrope"}, {"original_max_position_embeddings": 16}),
            ("longrope_yarn", {"type": "yarn"}, {"original_max_position_embeddings": 64}),
            ("longrope_own_original", {"rope_type": "longrope", "original_max_position_embeddings": 64}, {}),
            ("longrope_both_originals", {"rope_type": "longrope", "original_max_position_embeddings": 16},
             {"original_max_position_embeddings": 64}),
            ("longrope_factor", {"rope_type": "longrope", "factor": 2.0}, {"original_max_position_embeddings": 64}),
            ("longrope_attention", {"rope_type": "longrope", "attention_factor": 1.25}, {"original_max_position_embeddings": 64}),
            ("longrope_no_original", {"rope_type": "longrope"}, {})):
        yield phi, name, {"rope_scaling": {**long, **rope}, "max_position_embeddings": 256, **outer}
    yield llama, "longrope", {"rope_scaling": {**long, "rope_type": "longrope", "original_max_position_embeddings": 64},
                             "max_position_embeddings": 256}
    half = {"short_factor": ramp(4, 1, 1.5), "long_factor": ramp(4, 1.2, 6), "rope_type": "longrope"}
    yield phi, "partial", {"partial_rotary_factor": 0.5}
    yield phi, "partial_longrope", {"partial_rotary_factor": 0.5, "rope_scaling": half, "max_position_embeddings": 256,
                                    "original_max_position_embeddings": 16}
    yield phi, "partial_nested", {"rope_parameters": {"partial_rotary_factor": 0.75, "rope_type": "default"}}
    yield phi, "linear", {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}

    for architecture in (mistral, "MixtralForCausalLM", phi):
        yield architecture, "window", {"sliding_window": 8, **kv}
        yield architecture, "null_window", {"sliding_window": None, **kv}
    types = ["full_attention", "sliding_attention", "sliding_attention", "full_attention"]
    for architecture in ("Qwen2ForCausalLM", "Qwen3ForCausalLM", "Qwen2MoeForCausalLM", "Qwen3MoeForCausalLM"):
        yield architecture, "window_not_used", {"sliding_window": 8, **kv}
        yield architecture, "window", {"sliding_window": 8, "use_sliding_window": True, **kv}
        yield architecture, "window_layers", {"sliding_window": 8, "use_sliding_window": True, "max_window_layers": 2, **kv}
        if architecture != "Qwen3MoeForCausalLM":  # which has no layer types
            yield architecture, "layer_types", {"sliding_window": 8, "use_sliding_window": True, "layer_types": types, **kv}
            yield architecture, "layer_types_not_used", {"sliding_window": 8, "layer_types": types, **kv}
            yield architecture, "layer_types_too_few", {"sliding_window": 8, "use_sliding_window": True, "layer_types": types[:3], **kv}
    for architecture in (gemma2, gemma3):
        yield architecture, "window", {"sliding_window": 8, **kv}
        yield architecture, "layer_types", {"sliding_window": 8, "layer_types": types, **kv}
        yield architecture, "layer_types_unknown", {"sliding_window": 8, "layer_types": types[:3] + ["linear"], **kv}
        yield architecture, "query_scalar", {"query_pre_attn_scalar": 100, **kv}
        yield architecture, "softcaps", {"attn_logit_softcapping": 7.0, "final_logit_softcapping": 9.0, **kv}
        yield architecture, "null_softcaps", {"attn_logit_softcapping": None, "final_logit_softcapping": None, **kv}
        yield architecture, "null_window", {"sliding_window": None, **kv}
        yield architecture, "hidden_act_ignored", {"hidden_act": "silu", **kv}
        yield architecture, "hidden_activation", {"hidden_activation": "silu", **kv}
    yield gemma3, "pattern_1", {"sliding_window": 8, "sliding_window_pattern": 1, **kv}
    yield gemma3, "pattern_2", {"sliding_window": 8, "sliding_window_pattern": 2, **kv}
    yield gemma3, "pattern_3", {"sliding_window": 8, "sliding_window_pattern": 3, **kv}
    yield gemma3, "types_beat_pattern", {"sliding_window": 8, "sliding_window_pattern": 2, "layer_types": types, **kv}
    two = {"sliding_window": 8, "sliding_window_pattern": 2, **kv}
    yield gemma3, "local_base", {"rope_local_base_freq": 500.0, "rope_theta": 2e5, **two}
    yield gemma3, "full_scaling", {"rope_scaling": {"rope_type": "linear", "factor": 8.0}, **two}
    yield gemma3, "nested", {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 3e5},
                                                 "sliding_attention": {"rope_type": "default", "rope_theta": 700.0}}, **two}
    yield gemma3, "nested_without_thetas", {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0},
                                                                "sliding_attention": {"rope_type": "default"}},
                                            "rope_theta": 3e5, "rope_local_base_freq": 600.0, **two}
    yield gemma3, "nested_full_only", {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 3e5}}, **two}
    yield gemma3, "nested_local_yarn", {"rope_parameters": {"full_attention": {"rope_type": "default"},
                                                            "sliding_attention": yarn()}, **two}
    yield gemma3, "scaling_and_nested", {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 3e5}},
                                         "rope_scaling": {"rope_type": "linear", "factor": 8.0}, **two}
    for architecture in ("Qwen2MoeForCausalLM", "Qwen3MoeForCausalLM"):
        yield architecture, "experts", {"num_experts": 6, "num_experts_per_tok": 3, "moe_intermediate_size": 40, "norm_topk_prob": True, **kv}
        yield architecture, "sparse_step", {"decoder_sparse_step": 2, **kv}
        yield architecture, "dense_layers", {"mlp_only_layers": [0, 3], **kv}
        yield architecture, "dense_and_step", {"mlp_only_layers": [1], "decoder_sparse_step": 2, **kv}
    yield "Qwen3MoeForCausalLM", "local_experts", {"num_local_experts": 6, "num_experts_per_tok": 2, **kv}
    yield "Qwen2MoeForCausalLM", "shared", {"shared_expert_intermediate_size": 72, **kv}
    yield "Qwen2MoeForCausalLM", "no_bias", {"qkv_bias": False, **kv}
    yield "MixtralForCausalLM", "experts", {"num_local_experts": 6, "num_experts_per_tok": 3, **kv}
    yield "MixtralForCausalLM", "num_experts", {"num_experts": 6, **kv}


def measured(config, architecture):
    model_config = transformers.AutoConfig.for_model(CLASSES[architecture], **config)
    torch.manual_seed(0)
    model = getattr(transformers, architecture)._from_config(model_config, attn_implementation="eager").eval()
    seen = []

    def look(module, args, kwargs):
        mask, (cosines, sines) = kwargs["attention_mask"], kwargs["position_embeddings"]
        allowed = int((mask[0, 0, -1] >= 0).sum()) if mask.dtype != torch.bool else int(mask[0, 0, -1].sum())
        half = cosines.shape[-1] // 2
        pairs = slice(0, half, max(half // 8, 1))
        seen.append({"window": 0 if allowed == TOKENS else allowed,
                     "pairs": half, "rope": [t[0, POSITION, pairs].double().tolist() for t in (cosines, sines)]})

    layers = model.model.layers
    for layer in layers:
        layer.self_attn.register_forward_pre_hook(look, with_kwargs=True)
    scale = []
    layers[0].register_forward_pre_hook(lambda m, args, kwargs: scale.append(args[0] if args else kwargs["hidden_states"]),
                                        with_kwargs=True)
    ids = torch.arange(TOKENS)[None] % 90 + 3
    with torch.no_grad():
        model(ids)
    attention, text = layers[0].self_attn, model.config
    moe = next((l.mlp for l in layers if hasattr(l.mlp, "experts")), None)
    dense = next((l.mlp for l in layers if not hasattr(l.mlp, "experts")), None)
    embedding = torch.nn.functional.embedding(ids, model.model.embed_tokens.weight)
    fused = hasattr(attention, "qkv_proj")
    norm = model.model.norm
    q = attention.qkv_proj if fused else attention.q_proj
    activation = (dense or moe.experts)
    activation = activation.activation_fn if hasattr(activation, "activation_fn") else activation.act_fn
    out = {
        "kv_heads": text.num_key_value_heads, "head_dim": attention.head_dim, "max_positions": text.max_position_embeddings,
        "rms_eps": norm.variance_epsilon if hasattr(norm, "variance_epsilon") else norm.eps,
        "tied": model.lm_head.weight is model.model.embed_tokens.weight,
        "qkv_bias": q.bias is not None, "output_bias": attention.o_proj.bias is not None,
        "mlp_bias": dense is not None and getattr(dense, "gate_proj", torch.nn.Linear(1, 1, False)).bias is not None,
        "gelu": "gelu" in type(activation).__name__.lower(), "scale": attention.scaling,
        "attention_softcap": getattr(text, "attn_logit_softcapping", None) or 0,
        "final_softcap": getattr(text, "final_logit_softcapping", None) or 0,
        "embedding_scale": float((scale[0] / embedding).median()),
        "qk_norm": 0 if not hasattr(attention, "q_norm") else attention.q_norm.weight.numel(),
        "experts": [hasattr(l.mlp, "experts") for l in layers],
        "windows": [s["window"] for s in seen],
        "rotated": 2 * (half := seen[0]["pairs"]), "rope_step": max(half // 8, 1), "rope": [s["rope"] for s in seen],
    }
    assert out["gelu"] == any(g in str(type(activation)) for g in ("GELU", "gelu")), activation
    # one table where all layers agree
    if all(r == out["rope"][0] for r in out["rope"]):
        out["rope"] = out["rope"][:1]
    if moe is not None:
        out["moe"] = {"count": moe.experts.gate_up_proj.shape[0], "per_token": moe.gate.top_k,
                      "intermediate": moe.experts.gate_up_proj.shape[1] // 2,
                      "shared": moe.shared_expert.up_proj.out_features if hasattr(moe, "shared_expert") else 0,
                      "renormalise": bool(getattr(moe.gate, "norm_topk_prob", True))}
    return out


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.8g}") if math.isfinite(value) else None
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return {k: rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


def main():
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "tests/data/config_golden.json"
    out = []
    for architecture, name, change in cases():
        config = {**LEAST, **({} if "num_key_value_heads" in change else DEFAULT_HEADS.get(architecture, {})),
                  **({"pad_token_id": 0} if architecture == "Phi3ForCausalLM" else {}), **change}
        if architecture == "Qwen2MoeForCausalLM" or architecture == "Qwen3MoeForCausalLM":
            config.setdefault("moe_intermediate_size", 24) if name != "least" else None
        try:
            expected = measured(json.loads(json.dumps(config)), architecture)
        except Exception as error:  # any class of refusal
            print(f"{architecture} {name}: {type(error).__name__} {str(error).splitlines()[0][:100]}")
            expected = {"refused": True}
        config["architectures"] = [architecture]
        out.append({"name": f"{architecture} {name}", "config": config, "expected": rounded(expected)})
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in out)
    path.write_text('{"tokens":%d,"position":%d,"transformers":"%s","cases":[\n%s\n]}\n' % (TOKENS, POSITION, transformers.__version__, lines))
    print(f"{path}: {len(out)} cases")


if __name__ == "__main__":
    main()
