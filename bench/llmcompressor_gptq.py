#!/usr/bin/env python3
"""Peer of bench/gptq_cost.cpp: GPTQ of the same model on the same windows by llm-compressor, timed.

Every linear but the output layer, 4 bits, symmetric, groups of 64, damping 0.01, float32, batches of one window.
Prints one JSON line. Loading and saving are not timed.
Needs llmcompressor, torch, transformers and datasets; not run by the tests.
"""

import argparse
import json
import os
import resource
import time

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import torch
import transformers
from datasets import Dataset
from llmcompressor import oneshot
from llmcompressor.modifiers.gptq import GPTQModifier


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="Hugging Face folder")
    parser.add_argument("--ids", required=True, help="JSON array of windows of token ids")
    parser.add_argument("--windows", type=int, default=32, help="the first ones of --ids (default 32)")
    parser.add_argument("--actorder", default="static", help="static (default), group, or none")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    with open(args.ids, encoding="utf-8") as f:
        rows = json.load(f)[: args.windows]
    model = transformers.AutoModelForCausalLM.from_pretrained(
        args.model, dtype=torch.float32, local_files_only=True
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model, local_files_only=True)
    data = Dataset.from_dict({"input_ids": rows, "attention_mask": [[1] * len(row) for row in rows]})
    weights = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 64}
    recipe = GPTQModifier(
        ignore=["lm_head"],
        config_groups={"group_0": {"targets": ["Linear"], "weights": weights}},
        dampening_frac=0.01,
        actorder=None if args.actorder == "none" else args.actorder,
    )
    start, before = time.perf_counter(), os.times()
    oneshot(
        model=model,
        recipe=[recipe],
        tokenizer=tokenizer,
        dataset=data,
        max_seq_length=max(map(len, rows)),
        num_calibration_samples=len(rows),
        shuffle_calibration_samples=False,
    )
    after = os.times()
    print(
        json.dumps(
            {
                "library": "llm-compressor",
                "torch": torch.__version__,
                "actorder": args.actorder,
                "seconds": time.perf_counter() - start,
                "processor_seconds": after.user + after.system - before.user - before.system,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
