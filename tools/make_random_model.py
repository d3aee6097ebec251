#!/usr/bin/env python3
"""Writes a Llama-shaped folder with seeded random bf16 weights, shard by shard, for tests of memory and speed.

    tools/make_random_model.py --shape llama-8b OUT          # 16 GB
    tools/make_random_model.py --shape llama-70b --config-only OUT

Only numpy is needed. Values are uniform with standard deviation 1/sqrt(in); every tensor is another stretch of one
random pool, which is enough for weights that are only multiplied. No tokenizer: measure with --ids (OUT/ids.json).
"""

import argparse
import json
import pathlib
import struct

import numpy as np

SHAPES = {
    "llama-8b": dict(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
                     num_key_value_heads=8, vocab_size=128256),
    "llama-70b": dict(hidden_size=8192, intermediate_size=28672, num_hidden_layers=80, num_attention_heads=64,
                      num_key_value_heads=8, vocab_size=128256),
}
SHARD_BYTES = 2 << 30
POOL = 1 << 24


def make_config(shape, layers):
    config = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_act="silu", rms_norm_eps=1e-5,
                  rope_theta=500000.0, max_position_embeddings=8192, tie_word_embeddings=False,
                  torch_dtype="bfloat16", **SHAPES[shape])
    if layers:
        config["num_hidden_layers"] = layers
    return config


def tensor_shapes(c):
    hidden, inner = c["hidden_size"], c["intermediate_size"]
    kv = hidden // c["num_attention_heads"] * c["num_key_value_heads"]
    yield "model.embed_tokens.weight", (c["vocab_size"], hidden)
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        yield p + "input_layernorm.weight", (hidden,)
        yield p + "self_attn.q_proj.weight", (hidden, hidden)
        yield p + "self_attn.k_proj.weight", (kv, hidden)
        yield p + "self_attn.v_proj.weight", (kv, hidden)
        yield p + "self_attn.o_proj.weight", (hidden, hidden)
        yield p + "post_attention_layernorm.weight", (hidden,)
        yield p + "mlp.gate_proj.weight", (inner, hidden)
        yield p + "mlp.up_proj.weight", (inner, hidden)
        yield p + "mlp.down_proj.weight", (hidden, inner)
    yield "model.norm.weight", (hidden,)
    yield "lm_head.weight", (c["vocab_size"], hidden)


def to_bf16(values):
    return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def write_values(out, shape, pools, rng):
    if len(shape) == 1:
        out.write(to_bf16(np.ones(shape)).tobytes())
        return
    if shape[1] not in pools:
        scale = np.sqrt(3.0 / shape[1])
        pools[shape[1]] = to_bf16(scale * (2 * np.random.default_rng(shape[1]).random(POOL, np.float32) - 1))
    pool, left = pools[shape[1]], shape[0] * shape[1]
    start = int(rng.integers(POOL))
    while left > 0:
        part = pool[start:start + left]
        out.write(part.tobytes())
        left -= len(part)
        start = 0


def write_shard(path, tensors, pools, rng):
    header, end = {}, 0
    for name, shape in tensors:
        size = 2 * int(np.prod(shape))
        header[name] = dict(dtype="BF16", shape=list(shape), data_offsets=[end, end + size])
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for _, shape in tensors:
            write_values(out, shape, pools, rng)


def shards_of(tensors):
    shard, size = [], 0
    for name, shape in tensors:
        shard.append((name, shape))
        size += 2 * int(np.prod(shape))
        if size >= SHARD_BYTES:
            yield shard
            shard, size = [], 0
    if shard:
        yield shard


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--layers", type=int, default=0, help="fewer blocks than the shape has")
    parser.add_argument("--config-only", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    a.out.mkdir(parents=True)
    config = make_config(a.shape, a.layers)
    (a.out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    rng, pools = np.random.default_rng(a.seed), {}
    windows = rng.integers(config["vocab_size"], size=(4, 512)).tolist()
    (a.out / "ids.json").write_text(json.dumps(windows))
    if a.config_only:
        return
    shards = list(shards_of(tensor_shapes(config)))
    weight_map, total = {}, 0
    for i, shard in enumerate(shards):
        name = f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors"
        write_shard(a.out / name, shard, pools, rng)
        weight_map.update({tensor: name for tensor, _ in shard})
        total += sum(2 * int(np.prod(shape)) for _, shape in shard)
    index = dict(metadata=dict(total_size=total), weight_map=weight_map)
    (a.out / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
