#!/usr/bin/env python3
"""Prints the golden rows of src/number/intk_test.cpp: integer codes and values of a small matrix, made with numpy.

It follows the formulas of src/number/int_grid.h and shares no code with it. The matrix [7, 70] is rational, so that C++
and numpy build the same float32 values; its rows are mixed, mixed, all positive, all negative, zero, constant, and mixed
but tiny (subnormal f16 scales). Each row printed: format, then the first 16 hex digits of the SHA-256 of the codes (uint8,
row-major) and of the dequantized values (float32, -0 made +0). Needs numpy only.
"""

import hashlib
import platform

import numpy as np

ROWS, COLS = 7, 70
FORMATS = [f"int{bits}{sym}-{unit}{scale}" for bits in (2, 3, 4, 8) for sym in ("", "-sym")
           for unit in ("g32", "g7", "channel", "tensor") for scale in ("", "(scale=f32)")]


def matrix():
    index = np.arange(ROWS * COLS).reshape(ROWS, COLS)
    w = ((index * 7919) % 2003 - 1000).astype(np.float32) / np.float32(1024)
    w[2], w[3], w[4], w[5] = np.abs(w[2]), -np.abs(w[3]), 0, 0.3
    w[6] *= np.float32(2.0**-14)
    return w


def store(scale, kind):
    """The scale as its type holds it, float32 again."""
    if kind == "f32":
        return scale
    with np.errstate(over="ignore"):
        return np.maximum(scale.astype(np.float16).astype(np.float32), np.float32(2.0**-24))


def quantize(group, bits, symmetric, kind):
    f = np.float32
    top = f(2**bits - 1)
    low, high = np.minimum(group.min(), f(0)), np.maximum(group.max(), f(0))
    spread = np.maximum(-low, high) if symmetric else high - low
    steps = f(2 ** (bits - 1) - 1) if symmetric else top
    if spread == 0:
        return np.full(group.shape, 2 ** (bits - 1) if symmetric else 0, np.uint8), np.zeros_like(group)
    scale = store(spread / (f(1) if group.min() == group.max() else steps), kind)
    zero = f(2 ** (bits - 1)) if symmetric else np.clip(np.round(-low / scale), f(0), top)
    code = np.clip(np.round(group / scale) + zero, f(0), top)
    return code.astype(np.uint8), (code - zero) * scale


def encode(w, text):
    name, _, option = text.partition("(")
    parts = name.split("-")
    bits, symmetric, unit = int(parts[0][3:]), parts[1] == "sym", parts[-1]
    kind = "f32" if option else "f16"
    codes, values = np.zeros(w.shape, np.uint8), np.zeros_like(w)
    rows = [slice(None)] if unit == "tensor" else [slice(r, r + 1) for r in range(len(w))]
    width = int(unit[1:]) if unit.startswith("g") else w.shape[1]
    for r in rows:
        for c in range(0, w.shape[1], width):
            part = (r, slice(c, c + width))
            codes[part], values[part] = quantize(w[part], bits, symmetric, kind)
    return codes, values + np.float32(0)


def main():
    print(f"// tools/make_int_golden.py, Python {platform.python_version()}, numpy {np.__version__}")
    w = matrix()
    for text in FORMATS:
        hashes = [hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()[:16] for a in encode(w, text)]
        print(f'    {{"{text}", "{hashes[0]}", "{hashes[1]}"}},')


if __name__ == "__main__":
    main()
