#!/usr/bin/env python3
"""Tests of derive_models.py: derived models give the source's logits in a naive float64 forward.

Run from anywhere: python3 tools/derive_models_test.py
"""

import contextlib
import io
import json
import struct
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parent))
import derive_models

HIDDEN, HEADS, KV_HEADS, HEAD_DIM, INTERMEDIATE, VOCAB, LAYERS = 24, 3, 1, 8, 40, 50, 2
TOKENS = np.array([7, 3, 49, 0, 3, 21, 8, 8, 30, 11, 44])

# The maths is float64, so the derived model differs from the source by storing each tensor in float32 once: a
# relative error of at most u = 2^-24 = 6e-8 in every weight. A path from embedding to logits crosses at most
# 9 rounded tensors a layer and the final norm: 19 u = 1.1e-6 with two layers, if errors only add. 1e-5 leaves
# a factor 9 for what softmax and norms amplify. (Rounding errors are independent: measured is about 1e-7.)
TOLERANCE = 1e-5


def tiny_config(**changes):
    # eps is of the order of the mean square of the hidden states, so that a wrong eps shows.
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": LAYERS,
        "vocab_size": VOCAB,
        "rms_norm_eps": 0.2,
        "rope_theta": 100.0,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "hidden_act": "silu",
        **changes,
    }


def random_weights(config):
    """float32 tensors with the spread of a trained model's; norm weights are not one, biases not zero."""
    rng = np.random.default_rng(5)
    q, kv = config["num_attention_heads"] * HEAD_DIM, config["num_key_value_heads"] * HEAD_DIM
    hidden = config["hidden_size"]
    weights = {
        "model.embed_tokens.weight": rng.normal(0, 0.5, (VOCAB, hidden)),
        "model.norm.weight": rng.uniform(0.5, 1.5, hidden),
    }
    for i in range(LAYERS):
        shapes = {
            "self_attn.q_proj": (q, hidden),
            "self_attn.k_proj": (kv, hidden),
            "self_attn.v_proj": (kv, hidden),
            "self_attn.o_proj": (hidden, q),
            "mlp.gate_proj": (INTERMEDIATE, hidden),
            "mlp.up_proj": (INTERMEDIATE, hidden),
            "mlp.down_proj": (hidden, INTERMEDIATE),
        }
        for name, shape in shapes.items():
            weights[f"model.layers.{i}.{name}.weight"] = rng.normal(0, shape[1] ** -0.5, shape)
            if config.get("attention_bias" if "attn" in name else "mlp_bias"):
                weights[f"model.layers.{i}.{name}.bias"] = rng.normal(0, 0.5, shape[0])
        for name in ("input_layernorm", "post_attention_layernorm"):
            weights[f"model.layers.{i}.{name}.weight"] = rng.uniform(0.5, 1.5, hidden)
    if not config["tie_word_embeddings"]:
        weights["lm_head.weight"] = rng.normal(0, 0.5, (VOCAB, hidden))
    return {name: w.astype(np.float32) for name, w in weights.items()}


def rms_norm(x, weight, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight


def rotate(x, theta):
    """Half-split rotary embedding. x [tokens, heads, head_dim]"""
    half = x.shape[-1] // 2
    angle = np.arange(len(x))[:, None] * theta ** (-np.arange(half) / half)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def forward(config, weights, tokens):
    """Naive float64 Llama. tokens [n] -> logits [n, vocab]"""
    w = {name: tensor.astype(np.float64) for name, tensor in weights.items()}
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    head_dim, eps, n = (
        config.get("head_dim", config["hidden_size"] // heads),
        config["rms_norm_eps"],
        len(tokens),
    )
    mask = np.where(np.tri(n, dtype=bool), 0.0, -np.inf)

    def linear(x, name):
        return x @ w[name + ".weight"].T + w.get(name + ".bias", 0.0)

    h = w["model.embed_tokens.weight"][tokens]
    for layer in (f"model.layers.{i}." for i in range(config["num_hidden_layers"])):
        x = rms_norm(h, w[layer + "input_layernorm.weight"], eps)
        q = rotate(linear(x, layer + "self_attn.q_proj").reshape(n, heads, head_dim), config["rope_theta"])
        k = rotate(linear(x, layer + "self_attn.k_proj").reshape(n, kv_heads, head_dim), config["rope_theta"])
        v = linear(x, layer + "self_attn.v_proj").reshape(n, kv_heads, head_dim)
        outputs = []
        for head in range(heads):
            kv = head // (heads // kv_heads)
            p = np.exp(q[:, head] @ k[:, kv].T / np.sqrt(head_dim) + mask)
            outputs.append(p / p.sum(-1, keepdims=True) @ v[:, kv])
        h = h + linear(np.concatenate(outputs, -1), layer + "self_attn.o_proj")
        x = rms_norm(h, w[layer + "post_attention_layernorm.weight"], eps)
        gate = linear(x, layer + "mlp.gate_proj")
        h = h + linear(gate / (1 + np.exp(-gate)) * linear(x, layer + "mlp.up_proj"), layer + "mlp.down_proj")
    return (
        rms_norm(h, w["model.norm.weight"], eps) @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T
    )


def load_folder(folder):
    """-> (config, {name: array}), read by the safetensors package: an independent check of the files."""
    weights = {}
    for path in sorted(folder.glob("*.safetensors")):
        weights.update(load_file(path))
    return json.loads((folder / "config.json").read_text()), weights


def relative_difference(got, want):
    return np.abs(got - want).max() / np.abs(want).max()


class DeriveModelsTest(unittest.TestCase):
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
        (self.source / "pytorch_model.bin").write_bytes(b"other weights")
        save_file(weights, self.source / "model.safetensors")
        return config, weights

    def run_tool(self, kind, *options, out=None):
        """-> (exit code, stderr)"""
        stderr = io.StringIO()
        with contextlib.redirect_stderr(stderr):
            code = derive_models.main([kind, str(self.source), str(out or self.out), *options])
        return code, stderr.getvalue()

    def derive(self, kind, *options, out=None):
        """-> (config, weights) of a derivation that must succeed"""
        if kind == "padded":
            options = ("--hidden", "40", "--heads", "6", "--kv-heads", "2", *options)
        code, stderr = self.run_tool(kind, *options, out=out)
        self.assertEqual(code, 0, stderr)
        return load_folder(out or self.out)

    def assert_refuses(self, message, kind="offgrid", *options):
        """Exit code 3, the message, and nothing left behind."""
        before = sorted(self.root.iterdir())
        code, stderr = self.run_tool(kind, *options)
        self.assertEqual(code, 3, stderr)
        self.assertRegex(stderr, message)
        self.assertEqual(sorted(self.root.iterdir()), before)

    def assert_same_function(self, kind, *options, **config_changes):
        config, weights = self.make_source(**config_changes)
        want = forward(config, weights, TOKENS)
        derived = self.derive(kind, *options)
        self.assertLess(relative_difference(forward(*derived, TOKENS), want), TOLERANCE)
        return config, weights, *derived

    # ---- the function stays

    def test_offgrid_keeps_the_function(self):
        self.assert_same_function("offgrid")

    def test_padded_keeps_the_function(self):
        self.assert_same_function("padded")

    def test_offgrid_keeps_the_function_with_biases(self):
        self.assert_same_function("offgrid", attention_bias=True, mlp_bias=True)

    def test_padded_keeps_the_function_with_biases_and_an_untied_head(self):
        self.assert_same_function("padded", attention_bias=True, mlp_bias=True, tie_word_embeddings=False)

    def test_both_keep_the_function_with_two_key_value_heads_and_an_explicit_head_dim(self):
        config = {
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": HEAD_DIM,
        }  # hidden / heads is 6
        self.assert_same_function("padded", "--kv-heads", "3", **config)
        offgrid = self.derive("offgrid", out=self.root / "offgrid")
        self.assertLess(
            relative_difference(forward(*offgrid, TOKENS), forward(*load_folder(self.source), TOKENS)),
            TOLERANCE,
        )

    def test_the_comparison_sees_a_wrong_eps(self):
        config, weights, derived_config, derived = self.assert_same_function("padded")
        wrong = {**derived_config, "rms_norm_eps": config["rms_norm_eps"]}
        want = forward(config, weights, TOKENS)
        self.assertGreater(relative_difference(forward(wrong, derived, TOKENS), want), 1000 * TOLERANCE)

    def test_bf16_changes_the_function_no_more_than_bf16_rounding(self):
        config, weights = self.make_source()
        self.assertEqual(self.run_tool("offgrid", "--dtype", "bf16")[0], 0)
        raw = derive_models.read_header(self.out / "model.safetensors")
        data = (self.out / "model.safetensors").read_bytes()
        derived = {
            name: derive_models.widen(
                np.frombuffer(data, np.uint8, 2 * np.prod(s.shape), s.begin), s.dtype
            ).reshape(s.shape)
            for name, s in raw.items()
        }
        derived_config = json.loads((self.out / "config.json").read_text())
        self.assertEqual(derived_config["torch_dtype"], "bfloat16")
        difference = relative_difference(
            forward(derived_config, derived, TOKENS), forward(config, weights, TOKENS)
        )
        self.assertLess(difference, TOLERANCE * 2**16)  # unit roundoff 2^-8 instead of 2^-24
        self.assertGreater(difference, TOLERANCE)

    # ---- the weights move

    def test_scales_move_every_linear_and_stay_in_range(self):
        _, weights = self.make_source()
        _, derived = self.derive("offgrid")
        bound = derive_models.SCALE_HIGH / derive_models.SCALE_LOW * (1 + 1e-6)
        for name, w in weights.items():
            ratio = derived[name] / w
            if "layers" not in name:
                self.assertTrue((ratio == 1).all(), name)
                continue
            self.assertGreater(ratio.std(), 0.05, name)
            self.assertTrue(((ratio < bound) & (ratio > 1 / bound)).all(), name)

    def test_query_heads_of_a_group_share_the_scales_of_v(self):
        _, weights = self.make_source()
        _, derived = self.derive("offgrid")
        name = "model.layers.1.self_attn.o_proj.weight"
        divisor = (weights[name] / derived[name])[0].reshape(HEADS, HEAD_DIM)
        np.testing.assert_allclose(divisor, np.broadcast_to(divisor[0], divisor.shape), rtol=1e-6)

    def test_padding_is_zero_and_at_the_end(self):
        config, _, derived_config, padded = self.assert_same_function("padded")
        _, plain = self.derive("offgrid", out=self.root / "plain")
        self.assertEqual(
            (
                derived_config["hidden_size"],
                derived_config["num_attention_heads"],
                derived_config["num_key_value_heads"],
                derived_config["head_dim"],
            ),
            (40, 6, 2, HEAD_DIM),
        )
        self.assertEqual(derived_config["rms_norm_eps"], config["rms_norm_eps"] * HIDDEN / 40)
        for name, w in plain.items():
            inside = tuple(slice(0, n) for n in w.shape)
            rest = padded[name].copy()
            rest[inside] = 0
            self.assertFalse(rest.any(), name)
            factor = np.sqrt(HIDDEN / 40) if "norm" in name else 1.0
            np.testing.assert_allclose(padded[name][inside], w * factor, rtol=2e-7)

    def test_same_seed_gives_same_bytes_and_another_seed_does_not(self):
        self.make_source()
        files = []
        for i, seed in enumerate(("3", "3", "4")):
            self.derive("padded", "--seed", seed, out=self.root / str(i))
            files.append({p.name: p.read_bytes() for p in (self.root / str(i)).iterdir()})
        self.assertEqual(files[0], files[1])
        self.assertNotEqual(files[0]["model.safetensors"], files[2]["model.safetensors"])

    def test_row_blocks_do_not_change_the_bytes(self):
        self.make_source()
        whole = self.derive("padded")[1]
        self.addCleanup(setattr, derive_models, "BLOCK_ELEMENTS", derive_models.BLOCK_ELEMENTS)
        derive_models.BLOCK_ELEMENTS = 7 * 40  # seven rows of the padded hidden size
        blocks = self.derive("padded", out=self.root / "blocks")[1]
        for name in whole:
            np.testing.assert_array_equal(whole[name], blocks[name])

    # ---- the folder

    def test_sharded_folder_keeps_its_shards(self):
        _, weights = self.make_source()
        _, plain = self.derive("padded", out=self.root / "plain")
        names = sorted(weights)
        shards = {
            "model-00001-of-00002.safetensors": names[::2],
            "model-00002-of-00002.safetensors": names[1::2],
        }
        (self.source / "model.safetensors").unlink()
        for file, members in shards.items():
            save_file({name: weights[name] for name in members}, self.source / file)
        weight_map = {name: file for file, members in shards.items() for name in members}
        (self.source / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
        _, derived = self.derive("padded")
        self.assertEqual(set(derived), set(plain))
        for name in plain:
            np.testing.assert_array_equal(derived[name], plain[name])
        index = json.loads((self.out / "model.safetensors.index.json").read_text())
        self.assertEqual(index["weight_map"], weight_map)
        self.assertEqual(index["metadata"]["total_size"], sum(w.nbytes for w in plain.values()))

    def test_other_files_are_copied_and_other_weights_are_not(self):
        self.make_source()
        self.derive("offgrid", "--seed", "9")
        self.assertEqual(
            sorted(p.name for p in self.out.iterdir()),
            ["config.json", "derivation.json", "model.safetensors", "tokenizer.json"],
        )
        self.assertEqual((self.out / "tokenizer.json").read_bytes(), b'{"not": "read"}\r\n')
        note = json.loads((self.out / "derivation.json").read_text())
        self.assertEqual((note["kind"], note["seed"], note["dtype"]), ("offgrid", 9, "float32"))

    # ---- number types

    def test_bf16_rounds_once_to_nearest_even(self):
        cases = {
            1.0: 0x3F80,
            -2.5: 0xC020,
            0.0: 0,
            1e-60: 0,
            1 + 2**-8: 0x3F80,
            1 + 3 * 2**-8: 0x3F82,  # ties go to even
            1 + 2**-8 + 2**-40: 0x3F81,  # through float32 this would be the tie, and go down
            1 + 3 * 2**-8 - 2**-40: 0x3F81,
            -(1 + 3 * 2**-8 - 2**-40): 0xBF81,
        }
        got = derive_models.bf16_bits(np.array(list(cases)))
        self.assertEqual([hex(x) for x in got], [hex(x) for x in cases.values()])

    def test_widening_inverts_narrowing(self):
        rng = np.random.default_rng(1)
        for stored, bits in (("BF16", 8), ("F16", 11), ("F32", 24)):
            values = np.round(rng.uniform(0.5, 1, 1000) * 2**bits) / 2**bits * rng.choice([-1, 1], 1000)
            raw = np.frombuffer(derive_models.narrow(values, stored).tobytes(), np.uint8)
            np.testing.assert_array_equal(derive_models.widen(raw, stored), values)

    def test_bf16_source_equals_the_same_values_in_f32(self):
        _, weights = self.make_source()
        bits = {name: derive_models.bf16_bits(w.astype(np.float64)) for name, w in weights.items()}
        save_file(
            {n: (b.astype(np.uint32) << 16).view(np.float32) for n, b in bits.items()},
            self.source / "model.safetensors",
        )
        _, from_f32 = self.derive("offgrid", out=self.root / "f32")
        save_file(bits, self.source / "model.safetensors")  # as U16, for numpy has no bf16 ...
        data = (self.source / "model.safetensors").read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header = data[8 : 8 + length].replace(b'"U16"', b'"BF16"')  # ... so the header is corrected here
        (self.source / "model.safetensors").write_bytes(
            struct.pack("<Q", len(header)) + header + data[8 + length :]
        )
        _, from_bf16 = self.derive("offgrid")
        for name in from_f32:
            np.testing.assert_array_equal(from_bf16[name], from_f32[name])

    # ---- refusals

    def test_refuses_an_existing_output_folder(self):
        self.make_source()
        self.out.mkdir()
        self.assert_refuses("exists already")

    def test_refuses_a_missing_model(self):
        self.assert_refuses("config.json")

    def test_refuses_another_architecture(self):
        self.make_source(architectures=["MistralForCausalLM"])
        self.assert_refuses("only LlamaForCausalLM")

    def test_refuses_a_quantized_model(self):
        self.make_source(quantization_config={"quant_method": "gptq"})
        self.assert_refuses("already quantized")

    def test_refuses_biases_the_config_does_not_announce(self):
        config, weights = self.make_source()
        weights["model.layers.0.self_attn.q_proj.bias"] = np.ones(HEADS * HEAD_DIM, np.float32)
        save_file(weights, self.source / "model.safetensors")
        self.assert_refuses("q_proj.bias: not a tensor of this Llama")

    def test_refuses_a_missing_tensor(self):
        _, weights = self.make_source()
        del weights["model.layers.1.mlp.up_proj.weight"]
        save_file(weights, self.source / "model.safetensors")
        self.assert_refuses("1 tensors missing, first model.layers.1.mlp.up_proj.weight")

    def test_refuses_a_wrong_shape(self):
        self.make_source(intermediate_size=INTERMEDIATE + 1)
        self.assert_refuses("config.json implies")

    def test_refuses_integer_tensors(self):
        _, weights = self.make_source()
        weights["model.norm.weight"] = weights["model.norm.weight"].astype(np.int8)
        save_file(weights, self.source / "model.safetensors")
        self.assert_refuses("model.norm.weight: type I8")

    def test_refuses_a_truncated_file(self):
        self.make_source()
        path = self.source / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-4])
        self.assert_refuses("leave the file")

    def test_refuses_an_index_that_points_outside_the_folder(self):
        self.make_source()
        (self.source / "model.safetensors").rename(self.root / "model.safetensors")
        index = {"weight_map": {"model.norm.weight": "../model.safetensors"}}
        (self.source / "model.safetensors.index.json").write_text(json.dumps(index))
        self.assert_refuses("bad file name")

    def test_refuses_values_that_do_not_fit(self):
        _, weights = self.make_source()
        weights["model.layers.0.mlp.up_proj.weight"][3, 4] = 1e6
        save_file(weights, self.source / "model.safetensors")
        self.assert_refuses("up_proj.weight: a value is too large for F16", "offgrid", "--dtype", "f16")
        weights["model.layers.0.mlp.up_proj.weight"][3, 4] = np.nan
        save_file(weights, self.source / "model.safetensors")
        self.assert_refuses("up_proj.weight: a value is not finite")

    def test_refuses_padding_that_shrinks_or_regroups(self):
        self.make_source()
        self.assert_refuses("smaller than", "padded", "--hidden", "16", "--heads", "6", "--kv-heads", "2")
        self.assert_refuses("must stay so", "padded", "--hidden", "40", "--heads", "6", "--kv-heads", "3")

    def test_wrong_usage_exits_with_2(self):
        for argv in (
            ["offgrid"],
            ["offgrid", "a", "b", "--seed", "-1"],
            ["offgrid", "a", "b", "--hidden", "9"],
            ["x", "a", "b"],
        ):
            with contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit) as stop:
                derive_models.main(argv)
            self.assertEqual(stop.exception.code, 2, argv)


if __name__ == "__main__":
    unittest.main()
