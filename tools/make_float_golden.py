#!/usr/bin/env python3
"""Prints the golden rows of src/number/float_golden_test.cpp: small-float codes, scales and values of a matrix, by numpy.

    tools/make_float_golden.py [--confirm]

It follows the formulas of src/number/fp8.h, mx.h and nvfp4.h and shares no code with them: element types are tables of
all their values, rounding picks the nearest one in float64, the even code on a tie. The matrix [9, 70] is rational, so
that C++ and numpy build the same float32 values; its rows are mixed, mixed, all positive, all negative, zeros of both
signs, constant, and mixed but tiny in three degrees. Each row printed: format, then the first 16 hex digits of the
SHA-256 of the codes (uint8, row-major), of the scales and of the values (float32), and the global scale.

--confirm also compares with the package compressed-tensors (and torch) where its own rules lead to the same file: fp8 with
f32 scales, nvfp4, and the codes of MX formats under our scales. Without it numpy is all that is needed.
"""
import hashlib
import platform
import sys

import numpy as np

F = np.float32
FORMATS = [f"fp8-{element}{tile}{scale}" for element in ("e4m3", "e5m2")
           for tile, scale in (("", ""), ("", "(scale=f32)"), ("", "(scale=f16)"), ("-tensor", "(scale=f32)"),
                               ("-g32", ""), ("-b4x32", "(scale=f32)"))] + ["mxfp4", "mxfp8-e4m3", "mxfp8-e5m2", "nvfp4"]


def matrix():
    index = np.arange(9 * 70).reshape(9, 70)
    w = ((index * 7919) % 2003 - 1000).astype(F) / F(1024)
    w[2], w[3], w[5] = np.abs(w[2]), -np.abs(w[3]), 0.3
    w[4] = np.where(np.arange(70) % 2, F(0), F(-0.0))
    for row, exponent in ((6, -14), (7, -30), (8, -130)):
        w[row] *= F(2.0**exponent)
    return w


def table(exponent_bits, mantissa_bits, bias, largest):
    """Magnitudes of the codes 0, 1, 2, … up to the largest finite one."""
    codes = np.arange(2 ** (exponent_bits + mantissa_bits))
    exponent, mantissa = codes >> mantissa_bits, codes & (2**mantissa_bits - 1)
    values = np.where(exponent == 0, mantissa * 2.0 ** (1 - bias - mantissa_bits),
                      (1 + mantissa / 2**mantissa_bits) * 2.0 ** (exponent - bias))
    return values[values <= largest]


TABLES = {"e2m1": table(2, 1, 1, 6), "e4m3": table(4, 3, 7, 448), "e5m2": table(5, 2, 15, 57344)}


def nearest(x, element):
    """Codes of float values, ties to even, saturating; the sign is the element's highest bit."""
    values = TABLES[element]
    middles = (values[1:] + values[:-1]) / 2
    magnitude = np.abs(x).astype(np.float64)
    below, up_to = np.searchsorted(middles, magnitude, "left"), np.searchsorted(middles, magnitude, "right")
    code = np.where(below == up_to, below, below + below % 2)
    return (code + np.signbit(x) * (8 if element == "e2m1" else 128)).astype(np.uint8)


def value(codes, element):
    sign_bit = 8 if element == "e2m1" else 128
    magnitude = TABLES[element][codes & (sign_bit - 1)].astype(F)
    return np.where(codes & sign_bit, -magnitude, magnitude)


def store(scale, kind):
    """A positive scale as its type holds it, at least its smallest positive number; float32 again."""
    if kind == "f32":
        return np.maximum(scale, F(2.0**-149))
    if kind == "f16":
        return np.maximum(F(np.float16(scale)), F(2.0**-24))
    bits = int(np.array(scale, F).view(np.uint32))
    bits = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) << 16
    return np.maximum(np.array(bits, np.uint32).view(F)[()], F(2.0**-133))


def layout(text, shape):
    """element, kind of scale, rows and columns of a tile."""
    name, _, option = text.partition("(")
    parts = name.split("-")
    if parts[0] == "nvfp4":
        return "e2m1", "nv", 1, 16
    if parts[0].startswith("mx"):
        return (parts[1] if len(parts) > 1 else "e2m1"), "mx", 1, 32
    kind = option[6:-1] or "bf16"
    tile = parts[2] if len(parts) > 2 else "channel"
    if tile.startswith("b"):
        return parts[1], kind, *map(int, tile[1:].split("x"))
    return parts[1], kind, *{"channel": (1, shape[1]), "tensor": shape}.get(tile, (1, int(tile[1:]) if tile[0] == "g" else 0))


def scale_of(largest, element, kind, global_scale):
    if kind == "mx":
        exponent = -127 if largest == 0 else np.frexp(largest)[1] - 1 - (np.frexp(TABLES[element][-1])[1] - 1)
        return F(2.0 ** np.clip(exponent, -127, 127))
    if largest == 0:
        return F(0)
    if kind == "nv":
        return np.maximum(value(nearest(global_scale * (largest / F(6)), "e4m3"), "e4m3"), F(2.0**-9))
    return store(largest / F(TABLES[element][-1]), kind)


def encode(w, text):
    element, kind, height, width = layout(text, w.shape)
    global_scale = F(448 * 6) * (F(1) / np.abs(w).max()) if kind == "nv" else F(1)
    codes, values = np.zeros(w.shape, np.uint8), np.zeros_like(w)
    scales = np.zeros((-(-w.shape[0] // height), -(-w.shape[1] // width)), F)
    for i in range(scales.shape[0]):
        for j in range(scales.shape[1]):
            part = (slice(i * height, (i + 1) * height), slice(j * width, (j + 1) * width))
            scales[i, j] = scale_of(np.abs(w[part]).max(), element, kind, global_scale)
            step = scales[i, j] / global_scale
            codes[part] = nearest(w[part] / (step if step > 0 else F(1)), element)
            values[part] = value(codes[part], element) * step
    return codes, scales, values, global_scale


def confirm(w):
    """Compares with compressed-tensors, which wants whole groups: zeros pad the last one."""
    import compressed_tensors
    import torch
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.lifecycle.forward import dequantize, quantize
    from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam

    rows = w[[0, 1, 2, 3, 5, 6]]  # not the rows of its own rules: zeros, scales rounded to zero
    for text in ("fp8-e4m3(scale=f32)", "fp8-e4m3-tensor(scale=f32)", "mxfp4", "mxfp8-e4m3", "nvfp4"):
        element, kind, height, width = layout(text, rows.shape)
        w = np.pad(rows, ((0, 0), (0, -rows.shape[1] % width)))
        codes, scales, values, global_scale = encode(w, text)
        t, nv = torch.from_numpy(w), kind == "nv"
        strategy = {1: "channel", w.shape[0]: "tensor"}[height] if kind == "f32" else "tensor_group" if nv else "group"
        args = QuantizationArgs(num_bits=4 if element == "e2m1" else 8, type="float", symmetric=True, strategy=strategy,
                                group_size=None if kind == "f32" else width,
                                **({"scale_dtype": torch.float8_e4m3fn} if nv else {}))
        whole = generate_gparam(t.min(), t.max()) if nv else None
        if kind == "mx":
            scale = torch.from_numpy(scales)
        else:
            groups = t.reshape(-1, w.size) if height > 1 else t.reshape(w.shape[0], -1, width)
            scale, _ = calculate_qparams(groups.amin(-1), groups.amax(-1), args, global_scale=whole)
            assert np.array_equal(scale.numpy().reshape(scales.shape), scales), text
        if nv:
            assert whole.item() == global_scale, text
        theirs = quantize(t, scale, None, args, global_scale=whole)
        assert np.array_equal(theirs.numpy(), value(codes, element)), text
        theirs = dequantize(theirs, scale, None, args, dtype=torch.float32, global_scale=whole)
        assert np.array_equal(theirs.numpy(), values), text
        print(f"// {text}: as compressed-tensors {compressed_tensors.__version__}, torch {torch.__version__}", file=sys.stderr)


def main():
    w = matrix()
    if "--confirm" in sys.argv[1:]:
        confirm(w)
    print(f"// tools/make_float_golden.py, Python {platform.python_version()}, numpy {np.__version__}")
    for text in FORMATS:
        *arrays, global_scale = encode(w, text)
        hashes = [hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()[:16] for a in arrays]
        print("    {" + ", ".join(f'"{part}"' for part in [text, *hashes]) + f", {float(global_scale).hex()}f}},")


if __name__ == "__main__":
    main()
