#!/usr/bin/env python3
"""The program on a real model, SmolLM2-135M, against values computed with PyTorch (tests/data/smollm2).

usage: smollm2_test.py PROGRAM MODEL.gguf [unittest options]
"""
import hashlib
import json
import math
import os
import re
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import assay_program
from assay_program import DATA, ROOT, ProgramTest

VENV_PYTHON = ROOT / "build" / "venv" / "bin" / "python"
NLL_SUM = 5e-3  # of a window; float32 implementations were measured to differ by up to 2e-4
model = Path("SmolLM2-135M-Instruct.Q4_1.gguf")


def oracle(name):
    return json.loads((DATA / "smollm2" / name).read_text())


@unittest.skipIf(os.environ.get("ASSAY_SKIP_REAL_MODEL") == "1", "ASSAY_SKIP_REAL_MODEL=1")
class SmolLM2Test(ProgramTest):
    folder = None  # the model in bf16, made once for all tests by `assay convert`

    @classmethod
    def setUpClass(cls):
        if SmolLM2Test.folder is not None:
            return
        if not model.is_file():
            raise FileNotFoundError(f"{model} is not there; fetch it with: tools/fetch_model.sh {model.parent}")
        temporary = tempfile.TemporaryDirectory(prefix="assay-smollm2-")
        unittest.addModuleCleanup(temporary.cleanup)
        folder = Path(temporary.name, "bf16")
        done = assay_program.run("convert", model, folder, "--dtype", "bf16")
        if done.code != 0:
            raise AssertionError(f"assay convert failed: {done.err}")
        SmolLM2Test.folder = folder

    def windows(self, model, tokens, count, *more):
        return self.result("perplexity", model, "--window", tokens, "--max-windows", count, *more)

    def assert_relative(self, value, expected, tolerance, what, absolute=0.0):
        self.assertLessEqual(abs(value - expected), tolerance * abs(expected) + absolute, f"{what}: {value}, expected {expected}")


class Perplexity(SmolLM2Test):
    def assert_nll_sums(self, windows, expected):
        self.assertGreater(len(windows), 0)
        for i, (window, nll_sum) in enumerate(zip(windows, expected)):
            self.assertAlmostEqual(window["nll_sum"], nll_sum, delta=NLL_SUM, msg=f"window {i}")

    def test_of_windows_of_512(self):
        result = self.windows(self.folder, 512, 6)
        self.assertEqual([w["tokens"] for w in result["windows"]], [511] * 6)
        self.assert_nll_sums(result["windows"], oracle("ppl.json")["len512"]["nll_sums"])

    def test_of_windows_of_2048(self):
        result = self.windows(self.folder, 2048, 2)
        self.assertEqual([w["tokens"] for w in result["windows"]], [2047] * 2)
        self.assert_nll_sums(result["windows"], oracle("ppl.json")["len2048"]["nll_sums"])

    def test_of_the_gguf_and_its_divergence_from_the_folder(self):
        expected = oracle("gguf.json")
        result = self.windows(model, 512, 4, "--against", self.folder)
        self.assertEqual(result["tokens_scored"], 2044)
        self.assert_nll_sums(result["windows"], [w["nll_sum_gguf"] for w in expected["windows"]])
        reference = [{"nll_sum": w["reference_nll_sum"]} for w in result["windows"]]
        self.assert_nll_sums(reference, [w["nll_sum_bf16_folder"] for w in expected["windows"]])
        self.assert_relative(result["kl_mean"], expected["kl_bf16folder_to_gguf_mean_nats"], 1e-3, "mean KL", 1e-8)

    def test_of_the_second_halves_is_the_same_bits_in_both_protocols(self):
        whole = self.windows(self.folder, 512, 3)
        halves = self.windows(self.folder, 512, 3, "--protocol", "llama.cpp")  # the tokenizer adds no BOS
        self.assertEqual(halves["tokens_scored"], 3 * 255)
        self.assertEqual(halves["blocks"], [b for i, b in enumerate(whole["blocks"]) if i % 8 >= 4])

    def test_of_sliding_windows_gains_by_their_context(self):
        whole = self.windows(self.folder, 256, 8)
        sliding = self.windows(self.folder, 256, 15, "--protocol", "sliding")
        self.assertEqual((sliding["stride"], sliding["tokens_scored"]), (128, 8 * 256 - 1))
        self.assertEqual(sliding["windows"][0], whole["windows"][0])
        self.assertLess(sliding["ppl"], whole["ppl"])

    def test_is_the_same_for_any_number_of_threads(self):
        one, two, three = (self.windows(model, 192, 2, "--against", self.folder, "--threads", n) for n in (1, 2, 3))
        self.assertEqual(one, two)
        self.assertEqual(one, three)

    def test_is_of_the_text_as_the_tokenizers_library_splits_it(self):
        first = oracle("tokens.json")["first64"]
        expected = hashlib.sha256(struct.pack("<Q64i", 64, *first)).hexdigest()
        for source in (self.folder, model):  # tokenizer.json as convert writes it, and GGUF metadata
            settings = self.run_json("perplexity", source, "--window", 64, "--max-windows", 1)["settings"]
            self.assertEqual(settings["windows_sha256"], expected, source)


class Weights(SmolLM2Test):
    def test_have_the_moments_and_outliers_of_the_oracle(self):
        linears = {w["name"]: w for w in self.result("weights", self.folder, "--treatment", "int4-g64")["linears"]}
        expected = oracle("weight_stats.json")["linears"]
        self.assertEqual(len(expected), 210)
        self.assertEqual(linears.keys() - expected.keys(), {"model.embed_tokens"})
        for name, stats in expected.items():
            ours = linears[name]
            self.assertEqual(ours["shape"], stats["shape"], name)
            for field in ("min", "max", "max_abs"):
                self.assert_relative(ours[field], stats[field], 1e-7, f"{name} {field}")
            self.assert_relative(ours["std"], stats["std"], 1e-6, f"{name} std")
            self.assert_relative(ours["mean"], stats["mean"], 1e-4, f"{name} mean")
            for k in (3, 4):
                self.assertEqual(ours[f"outliers_{k}s"], stats[f"outliers_{k}sigma"], f"{name} outliers")
                self.assert_relative(ours[f"outlier_fraction_{k}s"], stats[f"fraction_{k}sigma"], 1e-7, f"{name} outliers")
            self.assert_relative(ours["range_ratio"], stats["range_ratio_3sigma"], 1e-6, f"{name} range ratio")
            self.assert_relative(ours["range_ratio_4s"], stats["range_ratio_4sigma"], 1e-6, f"{name} range ratio 4s")

    def test_lose_in_int4_what_the_oracle_lost(self):
        for scheme, treatment in (("int4_asym_g64", "int4-g64(scale=f32)"), ("int4_sym_g64", "int4-sym-g64(scale=f32)")):
            linears = {w["name"]: w for w in self.result("weights", self.folder, "--treatment", treatment)["linears"]}
            for name, expected in oracle("rtn_swap.json")["tensors"].items():
                for field, theirs in (("frobenius_error", "frobenius"), ("relative_error", "relative"), ("max_abs_error", "max_abs"),
                                      ("mean_abs_error", "mean_abs")):  # fmt: skip
                    self.assert_relative(linears[name][field], expected[scheme][theirs], 1e-5, f"{name} {treatment} {field}")


class Activations(SmolLM2Test):
    def test_of_all_linears_are_those_of_the_oracle(self):
        text = ROOT / "data" / "wikitext-2-raw" / "wiki.test.raw"
        result = self.result("activations", self.folder, "--text", text, "--window", 512, "--max-windows", 4)
        linears, expected = {a["name"]: a for a in result["linears"]}, oracle("activation_stats.json")["linears"]
        tied = linears.pop("model.embed_tokens")
        self.assertEqual((len(expected), linears.keys()), (210, expected.keys()))
        self.assertEqual([tied[side]["channels"] for side in ("input", "output", "embedding")], [576, 49152, 576])
        for name, sides in expected.items():
            for side, stats in sides.items():
                ours, what = linears[name][side], f"{name} {side}"
                self.assertEqual((ours["rows"], ours["channels"]), (2048, stats["channels"]), what)
                for field, theirs in (("max", "max_abs"), ("mean_abs", "mean_abs"), ("std", "std"), ("mean_channel_max",) * 2):
                    self.assert_relative(ours[field], stats[theirs], 1e-4, f"{what} {field}")
                self.assertAlmostEqual(ours["mean"], stats["mean"], delta=1e-4 * stats["std"], msg=what)
                # No channel lies within 1e-4 of the limit in any of them: the file would say near_threshold.
                self.assertNotIn("near_threshold", stats)
                self.assertEqual(ours["outlier_channels"], stats["outlier_channels"], what)

    def test_tell_the_massive_tokens_of_the_two_known_blocks(self):
        result = self.result("activations", self.folder, "--samples", 3, "--length", 256, "--linears", "down_proj")
        linears = {a["name"]: a["output"] for a in result["linears"]}
        for block in (11, 28):
            side = linears[f"model.layers.{block}.mlp.down_proj"]
            self.assertEqual(side["massive_windows"], 3)
            self.assertEqual({(t["position"], t["channel"]) for t in side["massive"][:3]}, {(0, 507)})


    def test_of_the_gguf_are_already_quantized(self):
        result = self.result("weights", model)
        found = [w["already_quantized"] for w in result["linears"] if w["name"] != "model.embed_tokens"]
        self.assertEqual(found, [{"stored_type": "Q4_1", "grid_bits": 4, "grid_group": 32}] * 210)
        self.assertIn("already quantized: 4-bit, blocks of 32, stored as Q4_1 (210 linears", " ".join(result["warnings"]))


class ExactSwaps(SmolLM2Test):
    def assert_swaps(self, scheme, treatment):
        expected = oracle("rtn_swap.json")
        names = expected["tensors"].keys()
        result = self.result(
            "sensitivity", self.folder, "--context", 0, "--window", 512, "--max-windows", 4, "--treatment", treatment,
            "--linears", "^(" + "|".join(map(re.escape, names)) + ")$", "--method", "exact",
        )  # fmt: skip
        self.assertEqual(result["control"], {"kl": 0, "identical": True})
        self.assertEqual(result["baseline"]["tokens_scored"], 2044)
        for window, nll_sum in zip(result["baseline"]["windows"], expected["base_nll_sums"]):
            self.assertAlmostEqual(window["nll_sum"], nll_sum, delta=NLL_SUM)
        swaps = {s["name"]: s for s in result["linears"]}
        self.assertEqual(swaps.keys(), names)
        for name, tensor in expected["tensors"].items():
            swap = tensor[scheme]["swap"]
            tolerance = max(0.01 * swap["mean_kl_nats"], 1e-7)
            self.assertAlmostEqual(swaps[name]["kl"], swap["mean_kl_nats"], delta=tolerance, msg=name)
            self.assertAlmostEqual(swaps[name]["delta_nll"], swap["delta_mean_nll"], delta=2e-5, msg=name)

    def test_to_asymmetric_int4_do_the_oracles_damage(self):
        self.assert_swaps("int4_asym_g64", "int4-g64(scale=f32)")

    def test_to_symmetric_int4_do_the_oracles_damage(self):
        self.assert_swaps("int4_sym_g64", "int4-sym-g64(scale=f32)")


class Scores(SmolLM2Test):
    def test_are_near_the_oracles_exact_damage(self):
        expected = oracle("rtn_swap.json")["tensors"]
        result = self.result(
            "sensitivity", self.folder, "--context", 0, "--window", 512, "--max-windows", 4,
            "--treatment", "int4-g64(scale=f32)", "--method", "score",
        )  # fmt: skip
        self.assertEqual(len(result["linears"]), 211)
        logs = []
        for linear in result["linears"]:
            name = linear["name"]
            # Attention of the first block: correlations across blocks of positions, see docs/statistics.md.
            if name in expected and "layers.0.self_attn" not in name:
                exact = expected[name]["int4_asym_g64"]["swap"]["mean_kl_nats"]
                logs.append(math.log(linear["kl"] / exact))
                self.assertLess(abs(logs[-1]), math.log(2.5), name)  # the log of one draw has a deviation of 0.3
        self.assertEqual(len(logs), 9)
        self.assertLess(abs(sum(logs) / len(logs)), math.log(1.3))


class DerivedModels(SmolLM2Test):
    def assert_same_function(self, kind):
        self.assertTrue(VENV_PYTHON.exists(), f"{VENV_PYTHON} is not there; make it with: make venv")
        derived = self.inputs / kind
        command = [VENV_PYTHON, ROOT / "tools" / "derive_models.py", kind, self.folder, derived]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        result = self.windows(derived, 256, 1, "--against", self.folder)
        self.assertLess(abs(result["kl_mean"]), 1e-8)
        self.assertLess(abs(result["delta_nll"]), 1e-5)
        return derived

    def assert_smaller_groups_err_less(self, rows, name):
        errors = {row["format"]: row["rmse"] for row in rows}
        for kind in (f"int{bits}{sym}-" for bits in (3, 4, 8) for sym in ("", "-sym")):
            sizes = [errors[kind + group] for group in ("g32", "g64", "g128", "g256", "channel")]
            self.assertEqual(sizes, sorted(sizes), f"{name} {kind}")

    def test_offgrid_computes_the_same_function_and_errs_less_in_smaller_groups(self):
        derived = self.assert_same_function("offgrid")
        self.assertEqual(self.result("inspect", derived)["config"]["hidden"], 576)
        result = self.result("weights", derived, "--sweep", "groups")
        self.assert_smaller_groups_err_less(result["group_sweep"], "the model")
        for linear in result["linears"]:
            self.assert_smaller_groups_err_less(linear["group_sweep"], linear["name"])
            self.assertNotIn("already_quantized", linear)

    def test_padded_computes_the_same_function(self):
        config = self.result("inspect", self.assert_same_function("padded"))["config"]
        self.assertEqual((config["hidden"], config["heads"], config["kv_heads"]), (768, 12, 4))


class Tasks(SmolLM2Test):
    def test_of_questions_are_those_of_transformers(self):
        """tests/data/smollm2/mmlu.json was made by tools/mmlu_reference.py."""
        result = self.result("eval", self.folder, "--task", "mmlu", "--task-data", DATA / "tasks" / "mmlu", "--shots", "2")
        expected = oracle("mmlu.json")
        self.assertEqual({q["id"] for q in result["questions"]}, expected.keys())
        for question in result["questions"]:
            own = expected[question["id"]]
            self.assertEqual((question["chosen"], question["answer"]), (own["chosen"], own["answer"]), question["id"])
            for ll, other in zip(question["log_likelihoods"], own["log_likelihoods"], strict=True):
                self.assertAlmostEqual(ll, other, delta=1e-3, msg=question["id"])


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    model = Path(sys.argv.pop(2)).resolve()
    assay_program.main()
