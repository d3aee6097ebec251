#!/usr/bin/env python3
"""Writes the seed inputs of the fuzz targets (but those of windows and of plain byte-level tokenizers): small valid inputs and
one broken one a rule.

    tools/make_fuzz_corpus.py [fuzz/corpus]

Deterministic; existing files of other names (minimised findings) stay. Standard library only.
"""
import base64
import json
import struct
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests" / "data"

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)


def safetensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def safetensors_seeds():
    dtypes = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
              "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32,
              "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64}
    every, at = {}, 0
    for name, bits in dtypes.items():
        every[name.lower()] = entry(name, [2, 4], at, at + bits)
        at += bits
    pair = {"a": entry("F32", [2], 0, 8), "b": entry("BF16", [2, 2], 8, 16), "__metadata__": {"format": "pt"}}
    one = b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
    return {
        "valid_empty": safetensors({}),
        "valid_pair": safetensors(pair, bytes(range(16))),
        "valid_every_dtype": safetensors(every, bytes(at)),
        "valid_scalar_and_zero": safetensors({"s": entry("F64", [], 0, 8), "z": entry("F16", [3, 0], 8, 8)}, bytes(8)),
        "valid_escapes": safetensors(b'{"\\u00e9\\n":{"shape":[1],"dtype":"U8","data_offsets":[0,1]}}', b"x"),
        "short": b"\x02\0\0",
        "length_over_limit": safetensors({}, length=100_000_001),
        "length_beyond_file": safetensors({}, length=4096),
        "not_an_object": safetensors(b"[]"),
        "bad_utf8": safetensors(b'{"\xff":1}'),
        "bad_json": safetensors(b'{"a":'),
        "nul_in_header": safetensors(b"{}\0garbage"),
        "duplicate_name": safetensors(b"{" + one + b"," + one + b"}", b"x"),
        "deep_nesting": safetensors(b'{"a":' + b"[" * 200),
        "huge_number": safetensors(b'{"a":{"dtype":"U8","shape":[1e999],"data_offsets":[0,1]}}', b"x"),
        "bad_metadata": safetensors({"__metadata__": {"a": 1}}),
        "unknown_dtype": safetensors({"a": entry("F128", [1], 0, 16)}, bytes(16)),
        "negative_dimension": safetensors({"a": entry("U8", [-1], 0, 1)}, b"x"),
        "overflow": safetensors({"a": entry("F32", [1 << 62, 2, 0], 0, 0)}),
        "half_byte": safetensors({"a": entry("F4", [3], 0, 2)}, bytes(2)),
        "end_before_begin": safetensors({"a": entry("U8", [1], 2, 1)}, bytes(2)),
        "wrong_size": safetensors({"a": entry("F32", [2], 0, 4)}, bytes(4)),
        "hole": safetensors({"a": entry("U8", [1], 0, 1), "b": entry("U8", [1], 2, 3)}, bytes(3)),
        "overlap": safetensors({"a": entry("U8", [2], 0, 2), "b": entry("U8", [2], 1, 3)}, bytes(3)),
        "truncated": safetensors(pair, bytes(15)),
        "trailing": safetensors(pair, bytes(17)),
    }


def text(value):
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(raw)) + raw


def key(name, kind, payload):
    return text(name) + struct.pack("<I", kind) + payload


def array(name, kind, count, payload):
    return key(name, ARRAY, struct.pack("<IQ", kind, count) + payload)


def info(name, ne, kind, offset):
    return text(name) + struct.pack(f"<I{len(ne)}QIQ", len(ne), *ne, kind, offset)


def gguf(keys=(), infos=(), data=0, version=3, alignment=32, counts=None):
    counts = counts or (len(infos), len(keys))
    head = b"GGUF" + struct.pack("<IQQ", version, *counts) + b"".join(keys) + b"".join(infos)
    return head + bytes(-len(head) % alignment) + bytes(i % 251 for i in range(data))


def gguf_seeds():
    scalars = [key("u8", U8, b"\1"), key("i8", I8, b"\xff"), key("u16", U16, b"\1\2"), key("i16", I16, b"\1\xff"),
               key("u32", U32, struct.pack("<I", 7)), key("i32", I32, struct.pack("<i", -7)),
               key("f32", F32, struct.pack("<f", 1e-5)), key("bool", BOOL, b"\1"), key("string", STRING, text("llama")),
               key("u64", U64, b"\xff" * 8), key("i64", I64, b"\xff" * 8), key("f64", F64, struct.pack("<d", 0.5))]
    arrays = [array("tokens", STRING, 3, text("a") + text("") + text(b"\xc4\xa0")),
              array("types", I32, 2, struct.pack("<2i", 1, 3)), array("scores", F32, 1, struct.pack("<f", -1)),
              array("bools", BOOL, 2, b"\0\1"), array("empty", STRING, 0, b"")]
    tensors = [info("f32", [4], 0, 0), info("f16", [3], 1, 32), info("q4_0", [32, 2], 2, 64), info("q4_1", [32], 3, 128),
               info("q8_0", [32], 8, 160), info("bf16", [1, 2, 1, 2], 30, 224), info("q6_k", [256], 14, 256),
               info("scalar", [], 0, 480)]
    decodable, at = [], 0
    for kind, elements, size in ((28, 1, 8), (6, 32, 22), (7, 32, 24), (10, 256, 84), (11, 256, 110), (12, 256, 144),
                                 (13, 256, 176), (14, 256, 210), (20, 32, 18), (23, 256, 136), (34, 256, 54),
                                 (35, 256, 66), (39, 32, 17)):
        decodable.append(info(f"t{kind}", [elements], kind, at))
        at += size + -size % 32
    one = [info("t", [4], 0, 0)]
    small = key("k", U8, b"\1")
    return {
        "valid_empty": gguf(),
        "valid_version_2": gguf([small], version=2),
        "valid_scalars": gguf(scalars),
        "valid_arrays": gguf(arrays),
        "valid_tensors": gguf(scalars + arrays, tensors, 484),
        "valid_decodable": gguf((), decodable, at),
        "valid_alignment": gguf([key("general.alignment", U32, struct.pack("<I", 8))],
                                [info("a", [3], 24, 0), info("b", [1], 24, 8)], 9, alignment=8),
        "bad_magic": b"GGML" + bytes(20),
        "version_1": gguf(version=1),
        "big_endian": gguf(version=0x03000000),
        "short": gguf()[:20],
        "huge_key_count": gguf(counts=(0, (1 << 64) - 1)),
        "huge_tensor_count": gguf(counts=((1 << 64) - 1, 0)),
        "empty_key": gguf([key("", U8, b"\1")]),
        "duplicate_key": gguf([small, small]),
        "unknown_value_type": gguf([key("k", 13, bytes(8))]),
        "nested_array": gguf([array("k", ARRAY, 1, bytes(12))]),
        "bad_bool": gguf([key("k", BOOL, b"\2")]),
        "huge_string": gguf([key("k", STRING, struct.pack("<Q", 1 << 40))]),
        "huge_string_array": gguf([array("k", STRING, 1 << 30, bytes(900))]),
        "huge_array": gguf([array("k", F64, 1 << 30, bytes(900))]),
        "array_over_limit": gguf([array("k", U8, (1 << 30) + 1, bytes(16))]),
        "alignment_not_power": gguf([key("general.alignment", U32, struct.pack("<I", 24))], one, 16),
        "alignment_zero": gguf([key("general.alignment", U32, bytes(4))], one, 16),
        "alignment_u64": gguf([key("general.alignment", U64, struct.pack("<Q", 32))], one, 16),
        "split": gguf([key("split.count", U16, b"\2\0")]),
        "long_name": gguf((), [info("n" * 64, [4], 0, 0)], 16),
        "duplicate_tensor": gguf((), one + [info("t", [4], 0, 32)], 64),
        "five_dimensions": gguf((), [info("t", [1] * 5, 0, 0)], 16),
        "unknown_tensor_type": gguf((), [info("t", [32], 31, 0)], 32),
        "partial_block": gguf((), [info("t", [48], 2, 0)], 64),
        "overflow": gguf((), [info("t", [1 << 32, 0, 1 << 32], 0, 0)], 32),
        "gap": gguf((), [info("a", [4], 0, 0), info("b", [4], 0, 64)], 96),
        "truncated": gguf((), one, 15),
    }


def config_seeds():
    least = {"architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
             "num_attention_heads": 4, "vocab_size": 256}
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 8192}
    changes = {
        "valid_least": {},
        "valid_flat": {"num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": 512, "rms_norm_eps": 1e-5,
                       "tie_word_embeddings": True, "attention_bias": True, "mlp_bias": False, "rope_theta": 5e5,
                       "rope_scaling": llama3, "hidden_act": "silu", "model_type": "llama", "torch_dtype": "bfloat16"},
        "valid_nested": {"rope_parameters": {"rope_type": "default", "rope_theta": 50000.0, "partial_rotary_factor": 1.0}},
        "valid_linear": {"rope_scaling": {"type": "linear", "factor": 4.0}},
        "valid_null": {"num_key_value_heads": None, "head_dim": None, "rope_scaling": None},
        "other_architecture": {"architectures": ["MambaForCausalLM"]},
        "no_architecture": {"architectures": []},
        "architecture_is_a_number": {"architectures": [1]},
        "architectures_is_a_string": {"architectures": "LlamaForCausalLM"},
        "missing_size": {"hidden_size": None},
        "size_zero": {"vocab_size": 0},
        "size_negative": {"num_hidden_layers": -1},
        "size_over_limit": {"intermediate_size": (1 << 31) + 1},
        "size_over_int64": {"intermediate_size": (1 << 64) - 1},
        "size_fraction": {"hidden_size": 64.5},
        "size_text": {"hidden_size": "64"},
        "heads_do_not_share": {"num_key_value_heads": 3},
        "more_heads_than_hidden": {"num_attention_heads": 65},
        "odd_head_dimension": {"head_dim": 15},
        "wide_query": {"head_dim": 1 << 31, "num_attention_heads": 1 << 31, "num_key_value_heads": 1},
        "many_layers": {"num_hidden_layers": 1 << 31},
        "eps_zero": {"rms_norm_eps": 0},
        "eps_text": {"rms_norm_eps": "1e-5"},
        "theta_negative": {"rope_theta": -1.0},
        "factor_zero": {"rope_scaling": {"type": "linear", "factor": 0}},
        "factor_missing": {"rope_scaling": {"type": "linear"}},
        "rope_type_unknown": {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}},
        "rope_type_number": {"rope_scaling": {"rope_type": 3}},
        "rope_list": {"rope_scaling": [llama3]},
        "llama3_crossed": {"rope_scaling": {**llama3, "high_freq_factor": 0.5}},
        "llama3_missing": {"rope_parameters": {"rope_type": "llama3", "factor": 8}},
        "partial_rotary": {"rope_parameters": {"partial_rotary_factor": 0.5}},
        "activation": {"hidden_act": "gelu"},
        "activation_number": {"hidden_act": 1},
        "bool_text": {"tie_word_embeddings": "true"},
    }
    seeds = {name: json.dumps({**least, **change}).encode() for name, change in changes.items()}
    for path in sorted((TESTS / "tiny").glob("*/config.json")):
        seeds["tiny_" + path.parent.name] = path.read_bytes()
    longrope = {"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [2.0] * 8}
    families = {
        "yarn": {"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "mscale": 0.7,
                                  "mscale_all_dim": 1.3, "beta_fast": 20, "truncate": False}},
        "longrope": {"architectures": ["Phi3ForCausalLM"], "rope_scaling": longrope, "original_max_position_embeddings": 64},
        "qwen_windows": {"architectures": ["Qwen2MoeForCausalLM"], "use_sliding_window": True, "sliding_window": 8,
                         "num_key_value_heads": 2, "mlp_only_layers": [1]},
        "layer_types": {"architectures": ["Gemma2ForCausalLM"], "layer_types": ["full_attention", "sliding_attention"]},
        "rope_by_type": {"architectures": ["Gemma3ForCausalLM"], "sliding_window_pattern": 2, "rope_parameters": {
            "full_attention": {"rope_type": "linear", "factor": 8.0}, "sliding_attention": {"rope_theta": 700.0}}},
    }
    for name, change in families.items():
        seeds["valid_" + name] = json.dumps({**least, **change}).encode()
    text = {key: value for key, value in least.items() if key != "architectures"}
    seeds["valid_text_config"] = json.dumps({"architectures": ["Gemma3ForConditionalGeneration"], "text_config": text}).encode()
    seeds["not_an_object"] = b"[]"
    seeds["bad_json"] = seeds["valid_least"][:-1]
    seeds["duplicate_key"] = b'{"vocab_size": 1, "vocab_size": 2}'
    return seeds


def gguf_config_seeds():
    """Metadata of each architecture, with an embedding of [8, 4]."""
    def u32(value):
        return U32, struct.pack("<I", value)

    def f32(value):
        return F32, struct.pack("<f", value)

    def seed(arch, extra=None, tensors=()):
        values = {"embedding_length": u32(4), "feed_forward_length": u32(8), "block_count": u32(2), "context_length": u32(16),
                  "attention.head_count": u32(2), "attention.head_count_kv": u32(1),
                  "attention.layer_norm_rms_epsilon": f32(1e-5), **(extra or {})}
        keys = [key("general.architecture", STRING, text(arch))]
        keys += [key(f"{arch}.{name}", *value) for name, value in values.items() if value]
        infos, at = [], 0
        for name, ne in (("token_embd.weight", [4, 8]), *tensors):
            infos.append(info(name, ne, 0, at))
            size = 4
            for n in ne:
                size *= n
            at += size + -size % 32
        return gguf(keys, infos, at)

    experts = {"expert_count": u32(3), "expert_used_count": u32(2)}
    yarn = {"rope.scaling.type": (STRING, text("yarn")), "rope.scaling.factor": f32(4), "rope.scaling.yarn_beta_fast": f32(16)}
    return {
        **{"valid_" + arch: seed(arch) for arch in ("llama", "qwen2", "qwen3", "phi3", "gemma2", "gemma3", "olmo2")},
        **{"valid_" + arch: seed(arch, experts) for arch in ("qwen2moe", "qwen3moe")},
        "valid_mixtral": seed("llama", experts, [("blk.0.ffn_gate_exps.weight", [4, 8, 3]), ("blk.0.ffn_up.1.weight", [4, 8])]),
        "valid_yarn": seed("qwen2", yarn),
        "valid_bias": seed("llama", None, [("blk.0.attn_q.weight", [4, 4]), ("blk.0.attn_q.bias", [4]), ("output.weight", [4, 8])]),
        "valid_longrope": seed("phi3", None, [("rope_factors_long.weight", [1]), ("rope_factors_short.weight", [1])]),
        "valid_windows": seed("gemma3", {"attention.sliding_window": u32(8), "attention.sliding_window_pattern": u32(2)}),
        "shared_gate": seed("qwen2moe", experts, [("blk.0.ffn_gate_inp_shexp.weight", [4]), ("blk.1.attn_norm.weight", [4])]),
        "many_experts": seed("llama", {**experts, "expert_count": u32(1 << 17)}),
        "experts_of_two_dimensions": seed("llama", experts, [("blk.0.ffn_gate_exps.weight", [4, 8])]),
        "function_key": seed("olmo2", {"attention.sliding_window": u32(8)}),
        "layers_missing": seed("llama", {"block_count": None}),
        "heads_in_a_list": seed("llama", {"attention.head_count": (ARRAY, struct.pack("<IQ2I", U32, 2, 2, 2))}),
        "negative_softcap": seed("gemma2", {"final_logit_softcapping": f32(-1)}),
        "no_architecture": gguf(),
        "empty_architecture": seed(""),
    }


def scaled_weight_seeds():
    """A config, a NUL and a safetensors file."""
    args = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel"}
    compressed = {"quant_method": "compressed-tensors", "format": "int-quantized",
                  "config_groups": {"group_0": {"targets": ["Linear"], "weights": args}}}
    blocks = {"quant_method": "fp8", "weight_block_size": [2, 4]}

    def seed(settings, tensors):
        header, at = {}, 0
        for name, dtype, bits, shape in tensors:
            size = bits // 8
            for dimension in shape:
                size *= dimension
            header[name] = entry(dtype, shape, at, at + size)
            at += size
        config = {} if settings is None else {"quantization_config": settings}
        return json.dumps(config).encode() + b"\0" + safetensors(header, bytes(i % 119 for i in range(at)))

    def changed(**change):
        return {**compressed, "config_groups": {"g": {"weights": {**args, **change}}}}

    f8, i8, f32 = ("w.weight", "F8_E4M3", 8, [3, 8]), ("w.weight", "I8", 8, [3, 8]), ("w.weight", "F32", 32, [3, 8])
    rows = ("w.weight_scale", "BF16", 16, [3, 1])
    return {
        "valid_plain": seed(None, [f32, ("b", "F64", 64, [2]), ("s", "F16", 16, [])]),
        "valid_rows": seed(compressed, [i8, rows]),
        "valid_tensor": seed({"quant_method": "fp8"}, [f8, ("w.weight_scale", "F32", 32, [1])]),
        "valid_blocks": seed(blocks, [f8, ("w.weight_scale_inv", "F32", 32, [2, 2])]),
        "valid_powers": seed(blocks, [f8, ("w.weight_scale_inv", "F8_E8M0", 8, [2, 2])]),
        "valid_groups": seed(changed(strategy="group", group_size=3), [i8, ("w.weight_scale", "F16", 16, [3, 3])]),
        "valid_empty": seed(blocks, [("w.weight", "F8_E5M2", 8, [0, 8]), ("w.weight_scale_inv", "F32", 32, [0, 2])]),
        "scale_missing": seed(compressed, [i8]),
        "scale_of_wrong_shape": seed(blocks, [f8, ("w.weight_scale_inv", "F32", 32, [3, 2])]),
        "scale_of_wrong_type": seed(compressed, [i8, ("w.weight_scale", "U8", 8, [3, 1])]),
        "scale_beside_f32": seed(compressed, [f32, rows]),
        "two_scales": seed(compressed, [f8, rows, ("w.weight_scale_inv", "F32", 32, [1])]),
        "zero_point": seed(compressed, [i8, rows, ("w.weight_zero_point", "I8", 8, [3, 1])]),
        "packed": seed(compressed, [("w.weight_packed", "I32", 32, [3, 2]), rows]),
        "qweight": seed({"quant_method": "gptq"}, [("w.qweight", "I32", 32, [1, 3]), f32]),
        "vector_with_scale": seed(compressed, [("w.weight", "I8", 8, [3]), rows]),
        "asymmetric": seed(changed(symmetric=False), [i8, rows]),
        "block_size_zero": seed({"quant_method": "fp8", "weight_block_size": [0, 4]}, [f8]),
        "block_size_huge": seed({"quant_method": "fp8", "weight_block_size": [1 << 40, 4]}, [f8]),
        "group_without_size": seed(changed(strategy="group"), [i8, rows]),
        "format_list": seed({**compressed, "format": ["int-quantized"]}, [i8, rows]),
        "sparse": seed({**compressed, "sparsity_config": {"format": "sparse-24-bitmask"}}, [i8, rows]),
    }


def documents_seeds():
    return {
        "valid_lines": b'{"text": "one"}\n\n \r\n{"text": "t\\u00fc\\ud83d\\ude00", "id": 7}\r\n{"text": ""}',
        "valid_long": ("\u20ac" * 9 + "\n" + "a" * 15 + "\n" + "\U0001f600" * 5).encode(),
        "byte_order_mark": b'\xef\xbb\xbf{"text": "one"}\n',
        "not_an_object": b'[]\n"text"\n7\nnull\n',
        "bad_json": b'{"text": \n{"text": "x"} {}\n',
        "no_member": b'{"content": "x"}\n{}\n',
        "not_a_text": b'{"text": 7}\n{"text": null}\n{"text": ["x"]}\n',
        "bad_utf8": b'{"text": "gr\xfc\xdf"}\n{"text": "fine"}\n',
        "lone_surrogate": b'{"text": "\\ud800"}\n',
        "deep_nesting": b'{"text": "x", "a": ' + b"[" * 200 + b"\n",
        "utf16": "{\"text\": \"x\"}\n".encode("utf-16"),
    }


def treatment_seeds():
    texts = {
        "valid_int": "int4-g128", "valid_int_all": "int8-sym-b128x64(scale=bf16):rtn", "valid_int_tensor": "int2-tensor(scale=f32)",
        "valid_group_of_one": "int8-g1(scale=f32)", "valid_huge_group": "int4-g9223372036854775807", "valid_row_block": "int4-b1x32",
        "valid_fp8": "fp8-e4m3", "valid_fp8_all": "fp8-e5m2-b128x128(scale=f16):rtn", "valid_fp8_channel": "fp8-e4m3-channel(scale=bf16)",
        "valid_mxfp4": "mxfp4", "valid_mxfp8": "mxfp8-e4m3:rtn", "valid_mxfp8_e5m2": "mxfp8-e5m2", "valid_nvfp4": "nvfp4",
        "empty": "", "bits_missing": "int-g128", "bits_nine": "int9-g128", "bits_overflow": "int99999999999999999999-g1",
        "group_zero": "int4-g0", "group_overflow": "int4-g9223372036854775808", "block_half": "fp8-e4m3-b128x", "tile_missing": "int4",
        "scale_unknown": "int4-g64(scale=f8)", "scale_open": "int4-g64(scale=f32", "fp8_element": "fp8-e3m4", "mx_element": "mxfp6",
        "mx_option": "mxfp4(scale=f32)", "nvfp4_tile": "nvfp4-g16", "method_unknown": "nvfp4:magic", "method_options": "nvfp4:rtn(fast)",
        "method_empty": "nvfp4:", "colon_in_option": "int4-g64(scale=:rtn)", "closed_twice": "int4-g64):rtn",
    }
    return {name: text.encode() for name, text in texts.items()}


def tokenizer_json(model, **parts):
    return json.dumps({"version": "1.0", "added_tokens": [], **parts, "model": model}, separators=(",", ":")).encode()


def added_token(content, id, **flags):
    return {"id": id, "content": content, **{f: flags.get(f, False) for f in ("single_word", "lstrip", "rstrip", "normalized", "special")}}


def double_array(value):
    """The one rule a -> the string at `value`."""
    units = [0] * 128
    units[0] = 1 << 10
    units[ord("a") ^ 1] = ord("a") | 1 << 8 | 3 << 10
    units[ord("a") ^ 1 ^ 3] = 1 << 31 | value
    return struct.pack("<129I", 512, *units)


def tokenizer_seeds():
    words = {w: i for i, w in enumerate(["<unk>", "<s>", "a", "b", "ab", "\u2581", "\u2581a", "e", "\u00e9", "<0xC3>", "<0xA9>", "<0x0A>"])}
    bpe = {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "vocab": words,
           "merges": [["\u2581", "a"], ["a", "b"]]}
    unigram = {"type": "Unigram", "unk_id": 0, "byte_fallback": True, "vocab": [[w, -i / 2] for w, i in words.items()]}
    mark = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False}
    sequence = {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    rules = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(double_array(0) + b"b\0").decode()}
    template = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
    text = "ab a<s> b\u00e9\nxa".encode()
    config = json.dumps({"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": True, "bos_token": "<s>",
                         "eos_token": {"content": "b"}, "added_tokens_decoder": {"1": {"content": "<s>", "special": True}}}).encode()
    return {
        "llama2": tokenizer_json(bpe, normalizer={"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, mark]},
                                 post_processor=template, decoder=sequence, added_tokens=[added_token("<s>", 1, special=True)]) + b"\0" + text + b"\0" + config,
        "metaspace": tokenizer_json(bpe, pre_tokenizer=metaspace, decoder=metaspace, added_tokens=[added_token("<s>", 1)]) + b"\0" + text,
        "gemma": tokenizer_json(bpe, normalizer=mark, decoder=sequence, pre_tokenizer={"type": "Split", "pattern": {"String": " "},
                                "behavior": "MergedWithPrevious", "invert": False}) + b"\0" + text,
        "unigram": tokenizer_json(unigram, normalizer={"type": "Sequence", "normalizers": [rules, {"type": "NFKD"}, {"type": "StripAccents"}]},
                                  pre_tokenizer={**metaspace, "prepend_scheme": "always", "split": True}, decoder=metaspace) + b"\0" + text,
    }


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def message(field, payload):
    return varint(field << 3 | 2) + varint(len(payload)) + payload


def piece(word, score=0.0, kind=1):
    return message(1, message(1, word.encode()) + b"\x15" + struct.pack("<f", score) + number(3, kind))


def tokenizer_model_seeds():
    pieces = piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3) + piece("user", 0, 4)
    words = b"".join(piece(w, -i) for i, w in enumerate(["ab", "\u2581a", "\u2581", "a", "b", "aab", "\u2581\u2581", "\u00e9", "123"]))
    bytes_ = b"".join(piece(f"<0x{b:02X}>", 0, 6) for b in (0x0A, 0xC3, 0xB6, 0xE4, 0xB8, 0xAD))
    bpe = message(2, number(3, 2) + number(35, 1) + number(40, 0))
    rules = message(3, message(1, b"nmt") + message(2, double_array(0) + b"xy\0"))
    plain = message(3, number(3, 0) + number(4, 0) + number(5, 0))
    return {
        "valid_bpe": pieces + words + bytes_ + bpe,
        "valid_unigram": pieces + words + bytes_ + message(2, number(3, 1) + number(35, 1)) + rules,
        "valid_suffix": pieces + words + message(2, number(3, 2) + number(24, 1)) + rules,
        "valid_plain": pieces + words + piece("c", 0, 5) + plain,
        "negative_id": pieces + words + message(2, number(41, (1 << 64) - 1)),
        "truncated": (pieces + words)[:-3],
        "group": pieces + b"\x0b",
        "word_model": pieces + message(2, number(3, 3)),
        "twice": pieces + words + words,
        "no_unknown": words,
        "nan_score": pieces + piece("x", float("nan")),
        "unused_in_bpe": pieces + piece("c", 0, 5) + bpe,
        "short_rules": pieces + words + message(3, message(2, b"\x08\0\0\0\0\x04\0\0\0\0\0\0x\0")),
        "rules_out_of_bounds": pieces + words + message(3, message(2, double_array(9) + b"x\0")),
        "tiktoken": b"IQ== 0\nIg== 1\n",
    }


def tokenizer_gguf_seeds():
    def vocabulary(model, words, kinds, *more):
        return gguf([key("tokenizer.ggml.model", STRING, text(model)),
                     array("tokenizer.ggml.tokens", STRING, len(words), b"".join(text(w) for w in words)),
                     array("tokenizer.ggml.token_type", I32, len(kinds), struct.pack(f"<{len(kinds)}i", *kinds)), *more])

    words = ["<unk>", "<s>", "</s>", "a", "b", "ab", "\u2581", "\u2581a", "user", "<0x0A>", "<0xC3>", "<0xB6>", ""]
    kinds = [2, 3, 3, 1, 1, 1, 1, 1, 4, 6, 6, 6, 5]
    scores = array("tokenizer.ggml.scores", F32, 13, struct.pack("<13f", *range(0, -13, -1)))
    letters = ["a", "b", "ab", "\u0120", "\u010a", "1", "<s>"]
    merges = array("tokenizer.ggml.merges", STRING, 1, text("a b"))

    def gpt2(pre):
        return vocabulary("gpt2", letters, [1, 1, 1, 1, 1, 1, 3], merges, key("tokenizer.ggml.pre", STRING, text(pre)),
                          key("tokenizer.ggml.bos_token_id", U32, struct.pack("<I", 6)))

    seeds = {f"gpt2_{pre}": gpt2(pre) for pre in ("llama-bpe", "qwen2", "tekken", "gpt-4o", "deepseek-v3", "deepseek-coder", "default", "none")}
    return {
        **seeds,
        "llama": vocabulary("llama", words, kinds, scores),
        "llama_plain": vocabulary("llama", words, kinds, key("tokenizer.ggml.add_space_prefix", BOOL, b"\0"),
                                  key("tokenizer.ggml.add_bos_token", BOOL, b"\0"), key("tokenizer.ggml.add_eos_token", BOOL, b"\1")),
        "llama_unknown_out_of_range": vocabulary("llama", words, kinds, scores, key("tokenizer.ggml.unknown_token_id", U32, b"\xff\0\0\0")),
        "llama_few_scores": vocabulary("llama", words + ["x"], kinds + [1], scores),
        "llama_twice": vocabulary("llama", words + ["a"], kinds + [1]),
        "t5": vocabulary("t5", words, kinds, scores),
    }


def task_seeds():
    data = TESTS / "tasks"
    files = {p.name.replace(".", "_"): p.read_bytes() for p in [*data.glob("*.jsonl"), *data.glob("mmlu/*/*.csv")]}
    choices = b'{"context":"a","choices":["b","c"],"answer":0}'
    return {
        **files,
        "open_quote": b'q,"a,b,c,d,A\n',
        "text_after_quote": b'q,"a"b,b,c,d,A\n',
        "quotes": b'"a ""b""\n",a,b,c,d,3\r\n',
        "many_fields": b"q" + b"," * 100,
        "mixed_layouts": choices + b'\n{"goal":"a","sol1":"b","sol2":"c","label":0}\n',
        "answer_out_of_range": choices.replace(b"0}", b"26}"),
        "no_text": choices.replace(b'"b"', b'" "'),
        "brackets": b'{"activity_label":"[[","ctx_a":"[a] [title] ]","ctx_b":"\xc7\x86z","endings":["[b\\nc]","  x"],"label":"1"}',
        "story": b"".join(b"On day %d the miller walked slowly to his old mill. " % day for day in range(60)),
        "repeated": b"The same sentence stands here all over again. " * 60,
        "bad_utf8": choices + b"\n\xff",
    }


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "fuzz" / "corpus"
    for target, seeds in {"safetensors": safetensors_seeds(), "gguf": gguf_seeds(), "config": config_seeds(), "gguf_config": gguf_config_seeds(),
                          "scaled_weight": scaled_weight_seeds(), "documents": documents_seeds(), "treatment": treatment_seeds(),
                          "tasks": task_seeds(), "tokenizer": tokenizer_seeds(), "tokenizer_gguf": tokenizer_gguf_seeds(),
                          "tokenizer_model": tokenizer_model_seeds()}.items():
        (folder / target).mkdir(parents=True, exist_ok=True)
        for name, data in seeds.items():
            assert len(data) < 4096, name
            (folder / target / name).write_bytes(data)
        print(f"{folder / target}: {len(seeds)} seeds")


if __name__ == "__main__":
    main()
