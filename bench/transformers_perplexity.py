#!/usr/bin/env python3
"""Peer of `assay perplexity`: what a user of Hugging Face transformers would run on the CPU, timed.

Each window is one full float32 forward (sdpa, no cache, batch 1); its NLL is the cross entropy of tokens
1..L-1 given the tokens before them, in float32 as users do: expect about 3e-6 relative bias against float64
sums. Prints one JSON line. Loading, and one warm-up window, are not timed.
Needs torch and transformers; not run by the tests.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F
import transformers

CHUNK_TOKENS = 256


def add_common_arguments(parser):
    parser.add_argument("model", help="Hugging Face folder")
    parser.add_argument(
        "--ids", help="JSON array of windows of token ids, all of one length; without it ids are random"
    )
    parser.add_argument("--window", type=int, default=512, help="tokens of a random window (default 512)")
    parser.add_argument(
        "--windows", type=int, default=4, help="number of windows, the first ones of --ids (default 4)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random ids")
    parser.add_argument("--threads", type=int, default=2)


def load_model(path, threads):
    torch.set_num_threads(threads)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        path, dtype=torch.float32, attn_implementation="sdpa", local_files_only=True
    )
    return model.eval()


def load_windows(args, vocab):
    """-> int64 [windows, tokens]"""
    if args.ids is None:
        generator = torch.Generator().manual_seed(args.seed)
        return torch.randint(vocab, (args.windows, args.window), generator=generator)
    with open(args.ids, encoding="utf-8") as f:
        rows = json.load(f)[: args.windows]
    if len(rows) < args.windows or len({len(row) for row in rows}) != 1:
        sys.exit(f"{args.ids}: expected at least {args.windows} windows of one length")
    ids = torch.tensor(rows, dtype=torch.int64)
    if ids.shape[1] < 2 or ids.min() < 0 or ids.max() >= vocab:
        sys.exit(f"{args.ids}: windows need two tokens or more, and ids in [0, {vocab})")
    return ids


def versions():
    return {
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def peak_rss_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@torch.inference_mode()
def window_nll_sum(model, ids):
    """ids [tokens] -> NLL of tokens 1..L-1, nats"""
    logits = model(input_ids=ids[None], use_cache=False).logits[0, :-1]
    pairs = zip(logits.split(CHUNK_TOKENS), ids[1:].split(CHUNK_TOKENS))
    return sum(F.cross_entropy(chunk, target, reduction="sum").item() for chunk, target in pairs)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_common_arguments(parser)
    parser.add_argument("--repeats", type=int, default=3, help="timed runs over all windows (default 3)")
    args = parser.parse_args()

    model = load_model(args.model, args.threads)
    windows = load_windows(args, model.config.vocab_size)
    window_nll_sum(model, windows[0])
    seconds = []
    for _ in range(args.repeats):
        start = time.perf_counter()
        nll_sums = [window_nll_sum(model, ids) for ids in windows]
        seconds.append(time.perf_counter() - start)

    print(
        json.dumps(
            {
                "peer": "transformers",
                "versions": versions(),
                "threads": args.threads,
                "cpus": os.cpu_count(),
                "window": windows.shape[1],
                "windows": windows.shape[0],
                "tokens_per_second_median": windows.numel() / statistics.median(seconds),
                "seconds": seconds,
                "nll_sums": nll_sums,
                "peak_rss_mib": peak_rss_mib(),
            }
        )
    )


if __name__ == "__main__":
    main()
