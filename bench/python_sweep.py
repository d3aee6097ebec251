#!/usr/bin/env python3
"""Peer of `assay sensitivity --method exact`: the usual Python loop over the linears, timed.

For each linear: put int4-g64:rtn weights (asymmetric, float32 scales) in its place, run every window through
the whole model, take KL(base || swapped) against the stored base logits, put the weight back. Float32, sdpa,
no cache. Prints one JSON line. The base logits of all windows are held in memory.
Needs torch and transformers; not run by the tests.
"""

import argparse
import json
import os
import statistics
import sys
import time

import torch

from transformers_perplexity import (
    CHUNK_TOKENS,
    add_common_arguments,
    load_model,
    load_windows,
    peak_rss_mib,
    versions,
)

BITS, GROUP = 4, 64


def rtn(weight):
    """weight [out, in] -> dequantized [out, in]; groups of GROUP columns.

    lo = min(0, min w), hi = max(0, max w), s = (hi - lo) / 15, z = round(-lo / s),
    q = clamp(round(w / s) + z, 0, 15), result = (q - z) s
    """
    top = 2**BITS - 1
    groups = weight.reshape(weight.shape[0], -1, GROUP)
    low = groups.amin(-1, keepdim=True).clamp(max=0)
    high = groups.amax(-1, keepdim=True).clamp(min=0)
    scale = (high - low) / top
    some = scale > 0
    zero = torch.where(some, torch.round(-low / scale), 0.0)
    code = torch.where(some, torch.round(groups / scale) + zero, 0.0).clamp(0, top)
    return ((code - zero) * scale).reshape(weight.shape)


def all_logits(model, windows):
    for ids in windows:
        yield model(input_ids=ids[None], use_cache=False).logits[0, :-1]


def kl_sum(base, other):
    """base, other [tokens, vocab] -> sum over tokens of KL(base || other), nats"""
    total = 0.0
    for a, b in zip(base.split(CHUNK_TOKENS), other.split(CHUNK_TOKENS)):
        a, b = torch.log_softmax(a, -1), torch.log_softmax(b, -1)
        total += (a.exp() * (a - b)).sum(-1).double().sum().item()
    return total


def swapped_kl(model, linear, windows, base):
    """Mean KL per token of one swap; the weight is restored."""
    original = linear.weight.detach().clone()
    linear.weight.copy_(rtn(original))
    total = sum(kl_sum(b, other) for b, other in zip(base, all_logits(model, windows)))
    linear.weight.copy_(original)
    return total / sum(len(b) for b in base)


def quantizable_linears(model):
    """-> [(name, module)] in model order, without the head"""
    linears = [(n, m) for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and n != "lm_head"]
    for name, linear in linears:
        if linear.in_features % GROUP:
            sys.exit(f"{name}: {linear.in_features} inputs do not divide into groups of {GROUP}")
    return linears


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_common_arguments(parser)
    parser.add_argument("--limit", type=int, help="only the first LIMIT linears")
    args = parser.parse_args()

    model = load_model(args.model, args.threads)
    windows = load_windows(args, model.config.vocab_size)
    linears = quantizable_linears(model)[: args.limit]

    rows = []
    with torch.no_grad():
        start = time.perf_counter()
        base = list(all_logits(model, windows))
        base_seconds = time.perf_counter() - start
        for name, linear in linears:
            start = time.perf_counter()
            kl = swapped_kl(model, linear, windows, base)
            rows.append({"name": name, "seconds": time.perf_counter() - start, "kl": kl})

    print(
        json.dumps(
            {
                "peer": "python-sweep",
                "versions": versions(),
                "threads": args.threads,
                "cpus": os.cpu_count(),
                "treatment": "int4-g64(scale=f32):rtn",
                "window": windows.shape[1],
                "windows": windows.shape[0],
                "base_seconds": base_seconds,
                "seconds_per_linear_median": statistics.median(row["seconds"] for row in rows),
                "linears": rows,
                "peak_rss_mib": peak_rss_mib(),
            }
        )
    )


if __name__ == "__main__":
    main()
