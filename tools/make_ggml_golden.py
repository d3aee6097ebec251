#!/usr/bin/env python3
"""Writes tests/data/gguf/blocks.safetensors: random blocks of each ggml type and the values that the Python package `gguf`
decodes from them.

    tools/make_ggml_golden.py [tests/data/gguf/blocks.safetensors]

Tensors NAME.blocks (u8, [blocks, bytes]) and NAME.values (f32, [blocks, elements]). All bits of the blocks are random, only
the f16 scales are kept finite (subnormal and negative ones occur). Needs numpy, safetensors and gguf (versions are printed).
"""
import importlib.metadata
import sys
from pathlib import Path

import numpy as np
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from safetensors.numpy import save_file

BLOCKS = 4
# The byte offsets of the f16 numbers in a block.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "TQ1_0": [52], "TQ2_0": [64],
          "MXFP4": []}


def random_blocks(rng, name, size):
    blocks = rng.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
    for at in SCALES[name]:
        scale = (rng.standard_normal(BLOCKS) * 2.0 ** rng.integers(-22, 4, BLOCKS)).astype(np.float16)
        blocks[:, at:at + 2] = scale.view(np.uint8).reshape(BLOCKS, 2)
    if name == "MXFP4":
        blocks[:, 0] = [0, 1, 120, 252]  # both subnormal exponents among them
    return blocks


def main():
    default = Path(__file__).resolve().parent.parent / "tests" / "data" / "gguf" / "blocks.safetensors"
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    rng = np.random.default_rng(20)
    tensors = {}
    for name in SCALES:
        kind = GGMLQuantizationType[name]
        blocks = random_blocks(rng, name, GGML_QUANT_SIZES[kind][1])
        values = quants.dequantize(blocks, kind)
        assert np.isfinite(values).all(), name
        tensors[name + ".blocks"], tensors[name + ".values"] = blocks, np.ascontiguousarray(values, np.float32)
    save_file(tensors, path)
    print(f"{path}: {len(SCALES)} types; gguf {importlib.metadata.version('gguf')}, numpy {np.__version__}")


if __name__ == "__main__":
    main()
