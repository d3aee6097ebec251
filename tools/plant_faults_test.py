#!/usr/bin/env python3
"""Tests of plant_faults.py: what it says is changed, and nothing else; the function is kept where it says so.

Run from anywhere: python3 tools/plant_faults_test.py
"""

import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

sys.path.insert(0, str(Path(__file__).resolve().parent))
import derive_models
import plant_faults
from derive_models_test import TOKENS, forward, load_folder, random_weights, relative_difference, tiny_config

SMALL = ("--dead", "3", "--every", "8", "--run", "4")  # options for a model of 24 hidden channels
LINEARS = [f"model.layers.1.{part}" for part in plant_faults.ATTENTION + plant_faults.MLP]


class PlantFaultsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.source, self.out = self.root / "source", self.root / "out"

    def make_source(self, **config_changes):
        config = tiny_config(**config_changes)
        weights = random_weights(config)
        self.source.mkdir()
        (self.source / "config.json").write_text(json.dumps(config))
        (self.source / "tokenizer.json").write_bytes(b'{"not": "read"}\r\n')
        save_file(weights, self.source / "model.safetensors")
        return config, weights

    def run_tool(self, *arguments, source=None, out=None):
        """-> (exit code, stderr)"""
        stderr = io.StringIO()
        with contextlib.redirect_stderr(stderr):
            code = plant_faults.main([str(source or self.source), str(out or self.out), *SMALL, *arguments])
        return code, stderr.getvalue()

    def plant(self, *arguments, source=None, out=None):
        """-> (config, weights, faults of planted.json) of a run that must succeed"""
        code, stderr = self.run_tool(*arguments, source=source, out=out)
        self.assertEqual(code, 0, stderr)
        folder = out or self.out
        return *load_folder(folder), json.loads((folder / "planted.json").read_text())["faults"]

    def plant_one(self, *arguments, **config_changes):
        """-> (weights before, weights after, its entry); only the tensors that the entry names have changed."""
        config, before = self.make_source(**config_changes)
        after_config, after, (entry,) = self.plant(*arguments)
        changed = sorted(name for name in before if not np.array_equal(before[name], after[name], equal_nan=True))
        self.assertEqual(changed, entry["changed"])
        self.assertIn(entry["linear"] + ".weight", changed)
        if entry["function"] == "kept":
            same = relative_difference(forward(after_config, after, TOKENS), forward(config, before, TOKENS))
            self.assertLess(same, 1e-12)  # powers of two: only the order of float64 sums could differ
        return before, after, entry

    def assert_refuses(self, message, *arguments):
        """Exit code 3, the message, and nothing left behind."""
        before = sorted(self.root.iterdir())
        code, stderr = self.run_tool(*arguments)
        self.assertEqual(code, 3, stderr)
        self.assertRegex(stderr, message)
        self.assertEqual(sorted(self.root.iterdir()), before)

    # ---- the faults

    def test_one_entry_of_each_row_grows_by_so_many_deviations(self):
        before, after, entry = self.plant_one("outlier-weights", "--sigmas", "9")
        old, new = before[entry["linear"] + ".weight"], after[entry["linear"] + ".weight"]
        moved = np.abs(new - old)
        self.assertTrue(((moved > 0).sum(axis=1) == 1).all())
        np.testing.assert_allclose(moved.max(axis=1), 9 * old.std(axis=1), rtol=1e-5)
        at = moved.argmax(axis=1)[:, None]
        np.testing.assert_array_equal(np.sign(np.take_along_axis(new - old, at, 1)),
                                      np.sign(np.take_along_axis(old, at, 1)))  # away from zero
        self.assertGreater(len(np.unique(at)), 3)

    def test_hot_channels_keep_the_function(self):
        before, after, entry = self.plant_one("hot-channels", "--hot", "2", "--scale", "16", mlp_bias=True)
        channels, down = entry["parameters"]["channels"], entry["linear"]
        up = down.replace("down", "up")
        self.assertEqual(len(channels), 2)
        self.assertEqual(entry["changed"], sorted([down + ".weight", up + ".weight", up + ".bias"]))
        factors = np.ones(len(before[up + ".weight"]))
        factors[channels] = 16
        np.testing.assert_array_equal(after[up + ".weight"], before[up + ".weight"] * factors[:, None])
        np.testing.assert_array_equal(after[down + ".weight"], before[down + ".weight"] / factors)

    def test_hot_channels_are_busy_ones(self):
        before, _, entry = self.plant_one("hot-channels", "--hot", "1")
        mlp = entry["linear"].removesuffix("down_proj")
        size = np.square(before[mlp + "gate_proj.weight"]).sum(1) * np.square(before[mlp + "up_proj.weight"]).sum(1)
        size *= np.square(before[mlp + "down_proj.weight"]).sum(0)
        self.assertGreaterEqual((size < size[entry["parameters"]["channels"][0]]).mean(), 0.9 - 1 / len(size))

    def test_varying_range_of_every_linear_keeps_the_function(self):
        heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
        config, before = self.make_source(**heads, attention_bias=True, mlp_bias=True)
        want = forward(config, before, TOKENS)
        for linear in LINEARS:
            with self.subTest(linear):
                _, after, (entry,) = self.plant("varying-range", "--linear", linear, out=self.root / linear)
                self.assertLess(relative_difference(forward(config, after, TOKENS), want), 1e-12)
                ratio = after[linear + ".weight"] / before[linear + ".weight"]
                self.assertTrue((ratio == ratio[0]).all())
                periods = ratio[0].reshape(-1, 8)
                np.testing.assert_array_equal(np.sort(periods, axis=1), [[1] * 4 + [8] * 4] * len(periods))
                self.assertEqual(entry["linear"], linear)
                np.testing.assert_array_equal(np.abs(np.diff(periods, axis=1)).sum(1), 7)  # one run a period

    def test_varying_range_falls_into_the_last_part_of_a_period(self):
        before, after, entry = self.plant_one("varying-range", "--every", "16", "--run", "1",
                                              "--linear", "model.layers.0.mlp.down_proj")
        ratio = (after[entry["linear"] + ".weight"] / before[entry["linear"] + ".weight"])[0]
        self.assertEqual([int((part == 8).sum()) for part in (ratio[:16], ratio[16:32], ratio[32:])], [1, 1, 1])

    def test_three_bits_are_eight_values_a_group_within_half_a_step(self):
        block = np.random.default_rng(1).normal(0, 0.1, (5, 150))
        block[3, :64] = np.abs(block[3, :64]) + 1  # zero is a value of the grid all the same
        block[4, 64:128] = 0
        rounded = block.copy()
        plant_faults.round_to_grid(rounded, 0)
        for begin in (0, 64, 128):
            for old, new in zip(block[:, begin : begin + 64], rounded[:, begin : begin + 64]):
                self.assertLessEqual(len(np.unique(new)), 8)
                step = (max(old.max(), 0) - min(old.min(), 0)) / 7
                # Half a step, and half a step more at the ends, for the zero point is whole.
                self.assertLessEqual(np.abs(new - old).max(), step * (1 + 1e-6))
                self.assertLessEqual(np.median(np.abs(new - old)), step / 2)
        np.testing.assert_array_equal(rounded[4, 64:128], 0)

    def test_round_3bit_rounds_one_linear(self):
        before, after, entry = self.plant_one("round-3bit")
        want = before[entry["linear"] + ".weight"].astype(np.float64)
        plant_faults.round_to_grid(want, 0)
        np.testing.assert_array_equal(after[entry["linear"] + ".weight"], want.astype(np.float32))

    def test_dead_channels_are_zero_in_up_and_gate(self):
        before, after, entry = self.plant_one("dead-channels", mlp_bias=True)
        up, channels = entry["linear"], entry["parameters"]["channels"]
        self.assertEqual(len(set(channels)), 3)
        for name in (up, up.replace("up", "gate")):
            for part in (".weight", ".bias"):
                dead = np.zeros(len(before[name + part]), bool)
                dead[channels] = True
                self.assertFalse(after[name + part][dead].any())
                np.testing.assert_array_equal(after[name + part][~dead], before[name + part][~dead])

    def test_nan_is_one(self):
        before, after, entry = self.plant_one("nan")
        weight = after[entry["linear"] + ".weight"]
        place = entry["parameters"]["row"], entry["parameters"]["column"]
        self.assertTrue(np.isnan(weight[place]))
        weight[place] = before[entry["linear"] + ".weight"][place]
        np.testing.assert_array_equal(weight, before[entry["linear"] + ".weight"])

    # ---- choices

    def test_faults_have_linears_of_their_own(self):
        self.make_source()
        for seed in "012":
            with self.subTest(seed):
                faults = ("outlier-weights", "hot-channels", "varying-range", "nan")
                _, _, planted = self.plant(*faults, "--seed", seed, out=self.root / seed)
                self.assertEqual([f["fault"] for f in planted], list(faults))
                changed = [name for fault in planted for name in fault["changed"]]
                self.assertEqual(len(changed), len(set(changed)))

    def test_seeds_choose_and_the_same_seed_gives_the_same_bytes(self):
        self.make_source()
        runs = []
        for i, seed in enumerate((0, 0, 1, 2, 3, 4)):
            _, _, planted = self.plant("outlier-weights", "--seed", str(seed), out=self.root / str(i))
            runs.append(((self.root / str(i) / "model.safetensors").read_bytes(), planted[0]["linear"]))
        self.assertEqual(runs[0], runs[1])
        self.assertEqual(len({data for data, _ in runs}), 5)
        self.assertGreater(len({linear for _, linear in runs}), 1)

    def test_a_planted_folder_can_be_planted_again_elsewhere(self):
        self.make_source()
        first = self.plant("round-3bit", "--linear", "model.layers.0.mlp.up_proj", out=self.root / "first")[2]
        both = self.plant("outlier-weights", "round-3bit", source=self.root / "first")[2]
        self.assertEqual(both[:1], first)
        self.assertEqual(len(both), 3)
        code, stderr = self.run_tool("nan", "--linear", "model.layers.0.mlp.up_proj", source=self.root / "first",
                                     out=self.root / "third")
        self.assertEqual((code, "already" in stderr), (3, True))

    # ---- the folder

    def test_the_config_tells_the_type_and_other_files_are_copied(self):
        self.make_source()
        config, _, _ = self.plant("nan", "hot-channels", "--dtype", "f16")
        self.assertEqual(config["torch_dtype"], "float16")
        self.assertEqual((self.out / "tokenizer.json").read_bytes(), b'{"not": "read"}\r\n')

    def test_a_nan_of_each_type_is_one(self):
        self.make_source()
        for dtype in derive_models.OUTPUT_TYPES:
            self.assertEqual(self.run_tool("nan", "--dtype", dtype, out=self.root / dtype)[0], 0)
            (entry,) = json.loads((self.root / dtype / "planted.json").read_text())["faults"]
            path = self.root / dtype / "model.safetensors"  # bf16 is nothing that numpy reads
            stored = derive_models.read_header(path)[entry["linear"] + ".weight"]
            size = int(np.prod(stored.shape)) * derive_models.STORED_BYTES[stored.dtype]
            raw = np.frombuffer(path.read_bytes(), np.uint8, size, stored.begin)
            values = derive_models.widen(raw, stored.dtype).reshape(stored.shape)
            place = [entry["parameters"]["row"], entry["parameters"]["column"]]
            self.assertEqual(np.argwhere(np.isnan(values)).tolist(), [place])

    def test_row_blocks_do_not_change_the_bytes(self):
        self.make_source()
        faults = ("outlier-weights", "hot-channels", "nan", "varying-range")
        self.plant(*faults, out=self.root / "whole")
        self.addCleanup(setattr, plant_faults, "BLOCK_ELEMENTS", plant_faults.BLOCK_ELEMENTS)
        plant_faults.BLOCK_ELEMENTS = 7 * 24  # seven rows
        self.plant(*faults, out=self.root / "blocks")
        whole, blocks = ((self.root / n / "model.safetensors").read_bytes() for n in ("whole", "blocks"))
        self.assertEqual(whole, blocks)

    def test_shards_are_kept(self):
        _, weights = self.make_source()
        names = sorted(weights)
        shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
        (self.source / "model.safetensors").unlink()
        for file, members in shards.items():
            save_file({name: weights[name] for name in members}, self.source / file)
        weight_map = {name: file for file, members in shards.items() for name in members}
        (self.source / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
        _, planted, (entry,) = self.plant("round-3bit")
        self.assertEqual(set(planted), set(weights))
        self.assertFalse(np.array_equal(planted[entry["linear"] + ".weight"], weights[entry["linear"] + ".weight"]))

    # ---- refusals

    def test_refuses_a_linear_that_cannot_have_the_fault(self):
        self.make_source()
        self.assert_refuses("planted into mlp.down_proj", "hot-channels", "--linear", "model.layers.0.mlp.up_proj")
        self.assert_refuses("planted into", "nan", "--linear", "model.layers.2.mlp.up_proj")
        self.assert_refuses("planted into", "nan", "--linear", "lm_head")

    def test_refuses_more_faults_than_linears(self):
        self.make_source(num_hidden_layers=2)
        self.plant("dead-channels", out=self.root / "1")
        self.plant("dead-channels", source=self.root / "1", out=self.root / "2")
        self.assertEqual(self.run_tool("dead-channels", source=self.root / "2")[0], 3)

    def test_refuses_more_channels_than_there_are(self):
        self.make_source()
        self.assert_refuses("40 channels", "dead-channels", "--dead", "41")
        self.assert_refuses("40 channels", "hot-channels", "--hot", "41")

    def test_refuses_a_planted_json_of_another_kind(self):
        self.make_source()
        (self.source / "planted.json").write_text('{"faults": ["x"]}')
        self.assert_refuses("not written by this tool", "nan")

    def test_refuses_an_existing_output_folder(self):
        self.make_source()
        self.out.mkdir()
        self.assert_refuses("exists already", "nan")

    def test_wrong_usage_exits_with_2(self):
        for argv in (["a", "b"], ["a", "b", "x"], ["a", "b", "nan", "nan"], ["a", "b", "nan", "--seed", "-1"],
                     ["a", "b", "nan", "round-3bit", "--linear", "l"], ["a", "b", "nan", "--every", "5", "--run", "2"],
                     ["a", "b", "nan", "--scale", "0"], ["a", "b", "nan", "--factor", "inf"]):
            with contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit) as stop:
                plant_faults.main(argv)
            self.assertEqual(stop.exception.code, 2, argv)


if __name__ == "__main__":
    unittest.main()
