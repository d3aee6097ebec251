#!/usr/bin/env python3
"""Every verb on tiny models: what it prints and writes, the same for any number of threads, and interruption."""
import json
import math
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import assay_program
from assay_program import BAD_INPUT, DATA, FAILURE, INTERRUPTED, OK, ROOT, USAGE, ProgramTest
from model_folder import ModelFolder, read_safetensors, some_windows, write_safetensors

TINY = DATA / "tiny"
MODELS = ["llama-tied", "llama-rope-llama3-f32", "llama-rope-linear-f16", "llama-bias-sharded"]
GGUF = DATA / "gguf" / "llama-a-q8_0.gguf"
TREATMENT = "int4-g32:rtn"

# The names that scripts may rely on: fields are added, none is renamed (docs/results-schema.md).
PERPLEXITY = {"ppl", "nll_mean", "tokens_scored", "windows"}
AGAINST = PERPLEXITY | {
    "kl_mean", "kl_ci95", "kl_percentiles", "top1_agreement", "top1_agreement_ci95", "delta_ppl", "delta_ppl_ci95", "ppl_ratio",
    "ppl_ratio_ci95", "nll_correlation", "delta_p_mean", "delta_p_mean_ci95", "delta_p_rms", "delta_p_rms_ci95", "delta_p_percentiles",
}  # fmt: skip
EVAL = {"task", "accuracy", "accuracy_ci95", "metric", "shots", "subjects", "questions"}
EVAL_AGAINST = {
    "reference_accuracy", "accuracy_difference", "accuracy_difference_ci95", "flips_to_wrong", "flips_to_right", "answers_changed", "mcnemar_p",
}  # fmt: skip
WEIGHTS = {
    "name", "shape", "treatment", "effective_bits", "frobenius_error", "relative_error", "max_abs_error", "mean_abs_error",
    "sqnr_db", "mean", "std", "max_abs", "outlier_fraction_3s", "outlier_fraction_4s", "outlier_fraction_6s", "range_ratio",
    "quantization_waste",
}  # fmt: skip
ACTIVATIONS = {
    "max", "mean_abs", "mean", "std", "kurtosis", "ratio", "mean_channel_max", "outlier_channels", "outlier_energy_share",
    "persistent_channels", "f16_headroom", "massive_tokens", "massive_first_tokens", "outliers", "massive", "alerts", "map",
}  # fmt: skip
SWAP = {
    "name", "treatment", "basis", "kl", "kl_ci95", "delta_nll", "delta_ppl", "relative_delta_ppl", "rank", "category",
    "recommendation", "propagation",
}  # fmt: skip


def blurred(tensor, bits=5):
    """A bf16 tensor with the last bits of its elements changed, the same in each run."""
    dtype, shape, data = tensor
    return dtype, shape, bytes(byte ^ (i * 37 % (1 << bits)) if i % 2 == 0 else byte for i, byte in enumerate(data))


def without_timing(document):
    """The document as text, less what may differ between runs: time, memory and the number of threads."""
    document = dict(document, settings=dict(document["settings"]))
    document.pop("seconds")
    document.pop("cost", None)
    document["settings"].pop("threads")
    return json.dumps(document, indent=1)


class CliTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.model = TINY / "llama-tied"
        self.ids = self.write_ids(some_windows(3))
        self.text = ["--ids", self.ids]
        self.sweep = [*self.text, "--treatment", TREATMENT]
        self.exact = [*self.sweep, "--method", "exact"]


class Json(CliTest):
    """`--json -`: valid JSON with the documented names."""

    def envelope(self, verb, *arguments):
        document = self.run_json(verb, *arguments)
        self.assertEqual(document.keys() - {"cost", "noise_floor", "calibration"}, {"assay", "schema", "command", "settings", "inputs", "seconds", "result"})
        self.assertEqual((document["schema"], document["command"]), (1, verb))
        for file in document["inputs"]:
            self.assertRegex(file["sha256"], r"\A[0-9a-f]{64}\Z")
        self.assert_documented(document)
        return document["result"]

    def assert_documented(self, document):
        text = (ROOT / "docs" / "results-schema.md").read_text()
        words = set(re.findall(r"[A-Za-z_0-9]+", " ".join(re.findall(r"`([^`\n]+)`", text))))

        def check(value, path):
            if isinstance(value, list):
                for item in value:
                    check(item, path)
            elif isinstance(value, dict):
                for key, item in value.items():
                    known = key in words or re.sub(r".*(_[346]s)", r"\1", key) in words
                    self.assertTrue(known, f"{path}.{key} is not in docs/results-schema.md")
                    check(item, f"{path}.{key}")

        check(document["result"], document["command"])
        check(document.get("calibration", {}), "calibration")

    def assert_has(self, value, names):
        self.assertEqual(names - value.keys(), set())

    def test_of_inspect(self):
        for name in MODELS:
            with self.subTest(name):
                result = self.envelope("inspect", TINY / name)
                self.assertEqual((result["format"], result["architecture"]), ("safetensors", "LlamaForCausalLM"))
                config = json.loads((TINY / name / "config.json").read_text())
                self.assertEqual(result["config"]["hidden"], config["hidden_size"])
                self.assertEqual(result["config"]["vocabulary"], config["vocab_size"])
                blocks = 7 * config["num_hidden_layers"]
                self.assertEqual(result["linear_count"], blocks + (1 if config["tie_word_embeddings"] else 2))
                self.assertEqual(result["warnings"], [])

    def test_of_inspect_on_gguf(self):
        result = self.envelope("inspect", GGUF)
        self.assertEqual((result["format"], result["architecture"]), ("gguf", "LlamaForCausalLM"))
        self.assertTrue(any("already quantized" in w and "Q8_0" in w for w in result["warnings"]), result["warnings"])

    def test_of_perplexity(self):
        result = self.envelope("perplexity", self.model, *self.text)
        self.assert_has(result, PERPLEXITY)
        self.assertEqual([w["tokens"] for w in result["windows"]], [95, 95, 95])
        self.assertEqual(result["tokens_scored"], 285)
        nll_mean = sum(w["nll_sum"] for w in result["windows"]) / 285
        self.assertAlmostEqual(result["nll_mean"], nll_mean, delta=1e-12 * nll_mean)
        self.assertAlmostEqual(result["ppl"], math.exp(nll_mean), delta=1e-9 * result["ppl"])

    def test_of_perplexity_against_a_reference(self):
        result = self.envelope("perplexity", TINY / "llama-rope-linear-f16", *self.text, "--against", self.model)
        self.assert_has(result, AGAINST)
        self.assertAlmostEqual(result["kl_mean"], sum(w["kl_sum"] for w in result["windows"]) / 285, delta=1e-12)
        self.assertAlmostEqual(result["delta_ppl"], result["ppl"] - result["reference_ppl"], delta=1e-9 * result["ppl"])
        low, high = result["kl_ci95"]
        self.assertTrue(0 < low <= result["kl_mean"] <= high, result["kl_ci95"])

    def tokenized_model(self):
        model = ModelFolder(self.inputs / "tokenized")
        model.add_byte_tokenizer()
        return model.path

    def test_of_eval(self):
        model = self.tokenized_model()
        for task, questions in {"hellaswag": 2, "arc": 2, "piqa": 1, "winogrande": 1, "choices": 2}.items():
            with self.subTest(task):
                result = self.envelope("eval", model, "--task", DATA / "tasks" / f"{task}.jsonl")
                self.assert_has(result, EVAL)
                self.assertEqual((result["task"], len(result["questions"])), (task, questions))
                for question in result["questions"]:
                    ll = question["log_likelihoods"]
                    if result["metric"] == "acc_norm":
                        ll = [value / n for value, n in zip(ll, question["characters"])]
                    self.assertEqual(question["chosen"], ll.index(max(ll)))
                    self.assertEqual(question["correct"], question["chosen"] == question["answer"])
                self.assertAlmostEqual(result["accuracy"], sum(q["correct"] for q in result["questions"]) / questions)

    def test_of_eval_of_a_treatment(self):
        result = self.envelope("eval", self.tokenized_model(), "--task", "mmlu", "--task-data", DATA / "tasks" / "mmlu",
                               "--shots", "1", "--max-questions", "5", "--treatment", "int3-g32")  # fmt: skip
        self.assert_has(result, EVAL | EVAL_AGAINST)
        self.assertEqual([q["id"] for q in result["questions"]], ["kitchen/0", "kitchen/1", "kitchen/2", "village/0", "village/1"])
        self.assertEqual([s["name"] for s in result["subjects"]], ["kitchen", "village"])
        flips = [(q["reference_correct"], q["correct"]) for q in result["questions"]]
        self.assertEqual(result["flips_to_wrong"], flips.count((True, False)))
        self.assertEqual(result["flips_to_right"], flips.count((False, True)))
        self.assertNotEqual(result["questions"][0]["log_likelihoods"], result["questions"][0]["reference_log_likelihoods"])

    def test_of_eval_against_itself_is_no_change(self):
        model = self.tokenized_model()
        result = self.envelope("eval", model, "--task", "continuation", "--max-questions", "6", "--against", model)
        self.assertEqual(len(result["questions"]), 6)
        self.assertEqual((result["answers_changed"], result["accuracy_difference"], result["right_probability_difference"]), (0, 0, 0))
        for question in result["questions"]:
            self.assertEqual(question["log_likelihoods"], question["reference_log_likelihoods"])

    def test_of_perplexity_of_a_treatment(self):
        result = self.envelope("perplexity", self.model, *self.sweep)
        self.assert_has(result, AGAINST)
        self.assertGreater(result["kl_mean"], 0)

    def test_of_weights(self):
        result = self.envelope("weights", self.model, "--treatment", TREATMENT)
        self.assertEqual(len(result["linears"]), 22)
        for linear in result["linears"]:
            self.assert_has(linear, WEIGHTS)
            self.assertAlmostEqual(linear["sqnr_db"], -20 * math.log10(linear["relative_error"]), delta=1e-9)
            self.assertEqual(linear["effective_bits"], 4 + (16 + 4) / 32)  # int4, an f16 scale and a zero point a group

    def test_of_activations(self):
        for model in (self.model, TINY / "qwen2-moe"):
            with self.subTest(model.name):
                result = self.envelope("activations", model, *self.text)
                self.assertEqual((result["windows"], result["tokens"]), (3, 288))
                for linear in result["linears"]:
                    sides = [linear[side] for side in ("input", "output", "embedding") if linear.get(side) is not None]
                    routed = ".experts." in linear["name"]
                    for side in sides:
                        self.assert_has(side, ACTIVATIONS)
                        self.assertTrue(side["rows"] < 288 if routed else side["rows"] == 288, linear["name"])
                    expected = {"model.embed_tokens": 3 if model == self.model else 1}.get(linear["name"], 2)
                    self.assertEqual(len(sides), expected, linear["name"])

    def test_of_weights_with_all_sweeps(self):
        result = self.envelope("weights", self.model, "--treatment", TREATMENT, "--sweep", "all", "--histograms", "--range-ratio", 1.5)
        self.assertEqual((result["range_ratio_limit"], len(result["group_sweep"]), len(result["clip_sweep"])), (1.5, 30, 12))
        for linear in result["linears"]:
            elements = linear["shape"][0] * linear["shape"][1]
            counted = sum(linear["histogram"]["counts"]) + linear["histogram"]["below"] + linear["histogram"]["above"]
            self.assertEqual(counted, elements)
            errors = {row["format"]: row["relative_error"] for row in linear["group_sweep"]}
            self.assertAlmostEqual(errors["int4-g32"], linear["relative_error"], delta=1e-6)
            self.assertEqual(sum(row["best"] for row in linear["clip_sweep"]), 1)

    def test_of_weights_with_clips_by_the_outputs_error(self):
        asked = ["--treatment", "int3-g32", "--sweep", "clip"]
        model = self.tokenized_model()
        text = self.inputs / "text.txt"
        text.write_text("Some text of no meaning, again and again. " * 400)
        result = self.result("weights", model, *asked, "--calibration", text, "--samples", 4, "--length", 64)
        plain = self.result("weights", model, *asked)
        self.assertEqual((len(result["clip_sweep"]), len(plain["clip_sweep"])), (14, 12))
        for linear, without in zip(result["linears"], plain["linears"], strict=True):
            rows = linear["clip_sweep"]
            self.assertEqual([row["clip"] for row in rows[10:]], ["mse", "output"] * 2)
            self.assertLessEqual(rows[13]["relative_output_error"], rows[12]["relative_output_error"])
            self.assertEqual(sum(row["best_output"] for row in rows), 1)
            self.assertEqual([row["total_error"] for row in rows if row["clip"] != "output"], [row["total_error"] for row in without["clip_sweep"]])
        alone = assay_program.run("weights", model, *asked, "--samples", 4)
        self.assertEqual((alone.code, alone.out), (USAGE, ""))
        self.assertIn("--samples requires --calibration", alone.err)

    def test_of_weights_counts_the_bytes_that_the_file_holds(self):
        for name, stored, fmt in (("q4_0", "Q4_0", "int4-sym-g32"), ("q8_0", "Q8_0", "int8-sym-g32")):
            model = DATA / "gguf" / f"llama-a-{name}.gguf"
            tensors = {t["name"]: t for t in self.result("inspect", model)["tensors"] if t["dtype"] == stored}
            result = self.result("weights", model, "--sweep", "groups")
            sizes = {w["name"] + ".weight": row["bytes"] for w in result["linears"] for row in w["group_sweep"] if row["format"] == fmt}
            self.assertGreaterEqual(len(tensors), 14)
            for tensor, facts in tensors.items():
                self.assertEqual(sizes[tensor], facts["bytes"], tensor)
            self.assertIn(f"blocks of 32, stored as {stored}", " ".join(result["warnings"]))

    def test_of_sensitivity(self):
        result = self.envelope("sensitivity", self.model, *self.exact)
        self.assert_has(result, {"baseline", "linears"})
        self.assert_has(result["baseline"], PERPLEXITY)
        self.assertEqual([s["rank"] for s in result["linears"]], list(range(1, 23)))
        self.assertEqual([s["kl"] for s in result["linears"]], sorted((s["kl"] for s in result["linears"]), reverse=True))
        for swap in result["linears"]:
            self.assert_has(swap, SWAP)
            self.assertEqual((swap["basis"], swap["treatment"]), ("measured", TREATMENT))

    def test_of_hybrid_sensitivity(self):
        result = self.envelope("sensitivity", self.model, *self.sweep, "--treatment", "int8-channel", "--top", 3)
        self.assertEqual(result["treatment"], f"{TREATMENT}, int8-channel:rtn")
        for treatment in (TREATMENT, "int8-channel:rtn"):
            linears = [s for s in result["linears"] if s["treatment"] == treatment]
            self.assertEqual([s["rank"] for s in linears], list(range(1, 23)))
            measured = [s for s in linears if s["basis"] == "measured"]
            self.assertTrue(3 <= len(measured) <= 6, len(measured))
            for swap in linears:
                self.assertEqual(swap["delta_nll"] is None, swap["basis"] == "scored")
                self.assertGreater(swap["scored"]["kl"], 0)

    def test_of_scored_sensitivity(self):
        result = self.envelope("sensitivity", self.model, *self.sweep, "--method", "score")
        self.assertEqual({s["basis"] for s in result["linears"]}, {"scored"})
        self.assertIsNone(result["control"])

    def test_of_blame(self):
        damaged = ModelFolder(self.inputs / "damaged")
        name = "model.layers.1.self_attn.v_proj.weight"
        damaged.change_weights(lambda tensors: tensors.update({name: blurred(tensors[name])}))
        result = self.envelope("blame", damaged.path, "--reference", self.model, *self.text)
        self.assertEqual([d["name"] for d in result["differences"]], [name])
        self.assertEqual([s["name"] for s in result["linears"]], [name.removesuffix(".weight")])
        worst = result["linears"][0]
        self.assert_has(worst, SWAP | {"parts"})
        self.assertAlmostEqual(sum(h["share"] for h in worst["parts"]["heads"]), 1, delta=1e-9)
        self.assertEqual((worst["kl"], result["linears_kl"]), (result["total"]["kl_mean"],) * 2)
        self.assertIsNone(result["others"])

    def test_of_blame_of_a_model_on_itself(self):
        result = self.envelope("blame", self.model, "--reference", self.model, *self.text)
        self.assertEqual((result["total"]["kl_mean"], result["linears_kl"], result["differences"]), (0, 0, []))
        self.assertIn("No difference", self.run_ok("blame", self.model, "--reference", self.model, *self.text).out)

    def test_of_diagnose(self):
        result = self.envelope("diagnose", self.model, *self.sweep, "-o", "report")
        self.assert_has(result, {"perplexity", "all_treated", "weights", "sensitivity", "shares"})
        worst = result["shares"]["worst_10_percent"]
        self.assertEqual(len(worst["linears"]), math.ceil(0.10 * 22))
        swaps = {s["name"]: s for s in result["sensitivity"]["linears"]}
        self.assertAlmostEqual(worst["share_of_damage"], sum(swaps[n]["share_of_damage"] for n in worst["linears"]), delta=1e-12)

    def test_to_a_file_is_what_goes_to_stdout(self):
        self.run_ok("weights", self.model, "--treatment", TREATMENT, "--json", "weights.json")
        written = json.loads((self.outputs / "weights.json").read_text())
        self.assertEqual(without_timing(written), without_timing(self.run_json("weights", self.model, "--treatment", TREATMENT)))

    def test_names_every_input_with_its_hash(self):
        inputs = self.run_json("perplexity", TINY / "llama-bias-sharded", "--ids", self.write_ids(some_windows(1, vocabulary=509)))["inputs"]
        names = {os.path.basename(file["path"]) for file in inputs}
        shards = {f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)}
        self.assertEqual(names, {"config.json", "model.safetensors.index.json", "ids.json"} | shards)


class Calibration(CliTest):
    """Calibration sets, on a model with a token a byte and a context of 512."""

    def setUp(self):
        super().setUp()
        bytewise = ModelFolder(self.inputs / "bytes")
        bytewise.add_byte_tokenizer()
        self.bytewise = bytewise.path

    def document(self, *options):
        return self.run_json("activations", self.bytewise, *options)

    def test_is_a_built_in_set_where_nothing_is_said(self):
        document = self.document("--samples", 4, "--length", 64)
        told = document["calibration"]
        self.assertEqual([s["name"] for s in told["sources"]], ["built-in: c4", "built-in: code", "built-in: wiki"])
        self.assertEqual((told["set"], told["samples"], told["length"]), ("mixed", 4, 64))
        self.assertEqual(document["settings"]["calibration_sha256"], told["windows_sha256"])
        self.assertEqual(document["result"]["tokens"], 256)
        self.assertNotIn("calibration", self.run_json("activations", self.bytewise, *self.text))

    def test_is_as_long_as_the_models_context_allows(self):
        told = self.document("--samples", 2, "--linears", "layers.0.*q_proj")["calibration"]
        self.assertEqual((told["length"], told["length_asked"]), (512, 2048))

    def test_of_files_has_their_hashes_and_depends_on_the_seed_alone(self):
        texts = self.inputs / "texts"
        texts.mkdir()
        lines = "".join(json.dumps({"content": f"Line {i}: " + "what a lovely day it is " * i}) + "\n" for i in range(40))
        (texts / "a.jsonl").write_text(lines)
        (texts / "b.txt").write_text("Ein Text, étrange et très court. " * 40)
        options = ["--calibration", texts, "--calibration-field", "content", "--samples", 6, "--length", 100]
        first, again, other = (self.document(*options, "--seed", seed, "--threads", n) for seed, n in ((1, 1), (1, 2), (2, 2)))
        self.assertEqual(without_timing(first), without_timing(again))
        self.assertNotEqual(first["calibration"]["windows_sha256"], other["calibration"]["windows_sha256"])
        self.assertEqual([s["documents"] for s in first["calibration"]["sources"]], [40, 1])
        hashes = {file["path"]: file["sha256"] for file in first["inputs"]}
        for source in first["calibration"]["sources"]:
            self.assertEqual(hashes[source["name"]], source["sha256"])

    def test_tells_what_is_wrong_with_it(self):
        text = self.write("repeats.txt", "the same words again and again, " * 200)
        done = self.run_ok("activations", self.bytewise, "--calibration", text, "--length", 128, "--samples", 500)
        for says in ("were asked for; give more text", "repeat more than 50 %", "share more than 20 %"):
            self.assertIn(says, done.err)
            self.assertIn(says, done.out)

    def test_does_not_go_with_a_text_of_ones_own(self):
        done = assay_program.run("activations", self.bytewise, "--calibration", "c4", *self.text)
        self.assertEqual(done.code, USAGE)

    def test_of_text_that_cannot_be_read_is_refused(self):
        empty = self.inputs / "empty"
        empty.mkdir()
        for path, field, code, says in (
            (empty, "text", BAD_INPUT, ["holds no .txt and no .jsonl file"]),
            (self.inputs / "none", "text", USAGE, ["no such file or folder", "c4, code, wiki and mixed"]),
            (self.write("latin.txt", b"gr\xfc\xdf"), "text", BAD_INPUT, ["latin.txt", "0xfc is not UTF-8"]),
            (self.write("mixed.jsonl", b'{"text": "fine"}\n{"text": "gr\xfc\xdf"}\n'), "text", BAD_INPUT, ["mixed.jsonl, line 2"]),
            (self.write("a.jsonl", '{"content": "x"}\n'), "text", BAD_INPUT, ["line 1 has no member", "--calibration-field"]),
            (self.write("short.txt", "ten letters"), "text", BAD_INPUT, ["has 11 tokens, too few for one window of 64"]),
            (self.write("text.csv", "a,b"), "text", BAD_INPUT, ["text.csv", ".txt or .jsonl"]),
        ):
            with self.subTest(path.name):
                options = ["--calibration", path, "--calibration-field", field, "--length", 64]
                self.assert_refuses(code, ["activations", self.bytewise, *options], says)


class Blame(CliTest):
    def test_of_models_of_other_shapes_is_refused_with_the_first_difference(self):
        other = TINY / "llama-rope-linear-f16"
        self.assert_refuses(
            BAD_INPUT, ["blame", other, "--reference", self.model, *self.text], ["tensor by tensor", "hidden is 64, in the reference 96"]
        )

    def test_names_the_tensor_of_a_quantized_checkpoint_that_was_damaged(self):
        folder, name = self.outputs / "q4_0", "model.layers.0.self_attn.v_proj.weight"
        self.run_ok("convert", DATA / "gguf" / "llama-a-q4_0.gguf", folder)
        arguments = ["blame", folder, "--reference", GGUF, *self.text, "--top", 3]
        before = self.result(*arguments)
        tensors = read_safetensors(folder / "model.safetensors")
        tensors[name] = blurred(tensors[name], bits=7)
        write_safetensors(folder / "model.safetensors", tensors)
        after = self.result(*arguments)
        self.assertNotEqual(before["linears"][0]["name"], name.removesuffix(".weight"))
        worst = after["linears"][0]
        self.assertEqual((worst["name"], worst["basis"]), (name.removesuffix(".weight"), "measured"))
        self.assertGreater(after["total"]["kl_mean"], before["total"]["kl_mean"])

    def test_measures_norms_together(self):
        damaged = ModelFolder(self.inputs / "damaged")
        name = "model.layers.0.input_layernorm.weight"
        damaged.change_weights(lambda tensors: tensors.update({name: blurred(tensors[name])}))
        result = self.result("blame", damaged.path, "--reference", self.model, *self.text)
        self.assertEqual(([d["name"] for d in result["other_differences"]], result["linears"]), ([name], []))
        self.assertEqual(result["others"]["kl_mean"], result["total"]["kl_mean"])
        self.assertGreater(result["others"]["kl_mean"], 0)


class Memory(CliTest):
    def test_changes_no_number(self):
        ids = self.write_ids(some_windows(6))
        wide = self.run_json("perplexity", self.model, "--ids", ids, "--treatment", TREATMENT)
        narrow = self.run_json("perplexity", self.model, "--ids", ids, "--treatment", TREATMENT, "--memory", "0.15")
        self.assertEqual(wide["result"], narrow["result"])
        wide, narrow = (self.result("activations", self.model, "--ids", ids, "--memory", gib) for gib in (0, "0.11"))
        self.assertEqual(wide, narrow)

    def test_that_is_too_little_is_refused_with_what_is_needed(self):
        ids = self.write_ids(some_windows(1))
        self.assert_refuses(
            USAGE, ["perplexity", self.model, "--ids", ids, "--memory", "0.01"], ["--memory 0.01 GiB is too little: at least"]
        )

    def test_is_predicted_from_a_config_alone(self):
        shape = self.inputs / "shape"
        shape.mkdir()
        shutil.copy(TINY / "llama-tied" / "config.json", shape)
        result = self.result("predict", shape, "--windows", "3", "--window", "64", "--measurement", "sweep")
        self.assertEqual((result["windows"], result["window_tokens"]), (3, 64))
        self.assertGreater(result["memory_bytes"], result["block_bytes"])
        self.assertGreater(result["seconds"], 0)


class Numbers(CliTest):
    def test_are_the_same_for_any_number_of_threads(self):
        for verb in (["perplexity"], ["activations"], ["sensitivity"], ["diagnose", "-o", "report"]):
            with self.subTest(verb[0]):
                asked = self.text if verb[0] == "activations" else self.sweep
                arguments = [verb[0], self.model, *asked, *verb[1:]]
                one, two, three = (self.run_json(*arguments, "--threads", n) for n in (1, 2, 3))
                self.assertEqual([d["settings"]["threads"] for d in (one, two, three)], [1, 2, 3])
                self.assertEqual(without_timing(one), without_timing(two))
                self.assertEqual(without_timing(one), without_timing(three))

    def test_of_the_control_are_exactly_zero(self):
        for name in MODELS:
            with self.subTest(name):
                ids = self.write_ids(some_windows(2, vocabulary=509))
                control = self.result("sensitivity", TINY / name, "--ids", ids, "--treatment", TREATMENT)["control"]
                self.assertEqual(control, {"kl": 0, "identical": True})

    def test_of_a_model_against_itself_are_exactly_zero(self):
        result = self.result("perplexity", self.model, *self.text, "--against", self.model)
        self.assertEqual((result["kl_mean"], result["delta_nll"], result["delta_ppl"], result["top1_agreement"]), (0, 0, 0, 1))

    def test_of_the_reference_backend_agree_with_cpu(self):
        cpu = self.result("perplexity", self.model, *self.text)
        reference = self.result("perplexity", self.model, *self.text, "--backend", "reference")
        for fast, exact in zip(cpu["windows"], reference["windows"]):
            self.assertAlmostEqual(fast["nll_sum"], exact["nll_sum"], delta=1e-4)  # 95 positions of about 1e-6 each

    def test_of_swaps_do_not_depend_on_which_others_are_measured(self):
        everything = {s["name"]: s for s in self.result("sensitivity", self.model, *self.exact)["linears"]}
        for swap in self.result("sensitivity", self.model, *self.exact, "--linears", "down_proj|embed")["linears"]:
            self.assertEqual(swap["windows"], everything[swap["name"]]["windows"], swap["name"])

    def test_leave_out_the_context(self):
        result = self.result("perplexity", self.model, *self.text, "--context", 90, "--max-windows", 2)
        self.assertEqual([w["tokens"] for w in result["windows"]], [5, 5])  # positions 90 to 94 predict tokens 91 to 95

    def test_of_a_text_are_those_of_its_ids(self):
        model = ModelFolder(self.inputs / "bytes")
        model.add_byte_tokenizer()
        text = "Ein Text, étrange et très court.\n" * 8
        tokens = list(text.encode())
        ids = self.write_ids([tokens[:64], tokens[64:128], tokens[128:192]])
        of_text = self.result("perplexity", model.path, "--text", self.write("text.txt", text), "--window", 64, "--max-windows", 3)
        self.assertEqual(of_text["windows"], self.result("perplexity", model.path, "--ids", ids)["windows"])


class Protocols(CliTest):
    """The ways to cut a text: each is checked against windows of ids, whose scores do not depend on the protocol."""

    TOKENS = list(("Ein Text, étrange et très court. " * 8).encode())

    def setUp(self):
        super().setUp()
        bytewise = ModelFolder(self.inputs / "bytes")
        bytewise.add_byte_tokenizer()
        self.bytewise = bytewise.path
        self.text_file = self.write("text.txt", bytes(self.TOKENS))

    def of_text(self, *options):
        return self.result("perplexity", self.bytewise, "--text", self.text_file, *options)

    def of_ids(self, windows, context):
        return self.result("perplexity", self.bytewise, "--ids", self.write_ids(windows), "--context", context)["windows"]

    # "Final estimate: PPL = … +/- …" of llama.cpp c392e50 on WikiText-2, `llama-perplexity -c 256 --chunks 20`. It multiplies
    # quantized weights by activations rounded to 8 bits, in blocks of 32 or, with K-quants, of 256: hence the tolerances.
    LLAMA_CPP = {
        "q8_0": (78.3572, 3.03748, 1e-3), "q4_0": (78.9979, 3.07838, 1e-3), "iq4_nl": (77.8662, 3.00892, 1e-3),
        "q4_k_m": (78.5615, 3.04526, 4e-3), "q6_k": (78.0642, 3.02083, 4e-3),
    }  # fmt: skip

    def test_llama_cpp_gives_what_llama_cpp_printed(self):
        for name, (ppl, error, tolerance) in self.LLAMA_CPP.items():
            with self.subTest(name):
                gguf = DATA / "gguf" / f"llama-a-{name}.gguf"
                result = self.result("perplexity", gguf, "--protocol", "llama.cpp", "--window", 256, "--max-windows", 20)
                self.assertEqual((result["protocol"], result["tokens_scored"]), ("llama.cpp", 20 * 127))
                self.assertAlmostEqual(result["ppl"], ppl, delta=tolerance * ppl)
                self.assertAlmostEqual(result["ppl_standard_error"], error, delta=tolerance * error)

    def test_llama_cpp_scores_the_second_halves_to_the_same_bits(self):
        whole = self.of_text("--window", 128)
        halves = self.of_text("--window", 128, "--protocol", "llama.cpp")
        self.assertEqual([w["tokens"] for w in halves["windows"]], [63, 63])
        self.assertEqual([b["tokens"] for b in whole["blocks"]], [64, 63] * 2)
        self.assertEqual(halves["blocks"], whole["blocks"][1::2])
        self.assertEqual(halves["windows"], self.of_ids([self.TOKENS[:128], self.TOKENS[128:256]], 64))

    def test_llama_cpp_measures_on_windows_of_512(self):
        self.assertEqual(self.result("perplexity", GGUF, "--protocol", "llama.cpp", "--max-windows", 2)["tokens_scored"], 2 * 255)

    def test_sliding_scores_every_token_but_the_first_once(self):
        length = len(self.TOKENS)
        result = self.of_text("--window", 100, "--protocol", "sliding", "--stride", 40)
        self.assertEqual((result["protocol"], result["stride"], result["tokens_scored"]), ("sliding", 40, length - 1))
        begins = range(0, length - 60, 40)
        windows = [self.TOKENS[b : b + 100] for b in begins]
        self.assertLess(len(windows[-1]), 100)
        self.assertEqual(result["windows"][:1], self.of_ids(windows[:1], 0))
        self.assertEqual(result["windows"][1:], self.of_ids(windows[1:], 59))

    def test_windows_of_different_contexts_have_another_hash(self):
        def settings(*options):
            return self.run_json("perplexity", self.bytewise, "--text", self.text_file, "--window", 64, *options)["settings"]

        gptq, halves = settings("--max-windows", 2), settings("--max-windows", 2, "--protocol", "llama.cpp")
        self.assertEqual((gptq["context"], halves["context"]), (0, 32))
        self.assertEqual(gptq["windows_sha256"], halves["windows_sha256"])  # the same tokens
        sliding, shifted = (settings("--max-windows", 2, "--protocol", "sliding", "--stride", n) for n in (32, 16))
        self.assertEqual((sliding["stride"], shifted["stride"]), (32, 16))
        self.assertNotEqual(sliding["windows_sha256"], shifted["windows_sha256"])

    def test_refuse_what_they_do_not_take(self):
        for options, says in ((["--protocol", "llama.cpp", "--context", 8], "--context"), (["--protocol", "sliding", "--context", 8], "--context"),
                              (["--stride", 8], "--stride"), (["--protocol", "llama.cpp", "--stride", 8], "--stride"),
                              (["--protocol", "sliding", "--window", 64, "--stride", 64], "--stride must lie between 1 and 63")):  # fmt: skip
            self.assert_refuses(USAGE, ["perplexity", self.bytewise, "--text", self.text_file, *options], [says])
        for protocol in ("llama.cpp", "sliding"):
            self.assert_refuses(USAGE, ["perplexity", self.model, *self.text, "--protocol", protocol], ["--ids"])

    def test_llama_cpp_needs_two_windows(self):
        options = ["--text", self.text_file, "--protocol", "llama.cpp", "--window", 200]
        self.assert_refuses(BAD_INPUT, ["perplexity", self.bytewise, *options], ["text.txt", "1 windows of 200", "2 or more"])


class Report(CliTest):
    def test_of_diagnose_renders_again_byte_for_byte(self):
        text = self.run_ok("diagnose", self.model, *self.sweep, "-o", "report").out
        folder = self.outputs / "report"
        self.assertEqual(sorted(os.listdir(folder)), ["report.html", "results.json"])
        self.assertEqual(self.run_ok("report", "report/results.json").out, text)
        self.run_ok("report", "report/results.json", "-o", "again.html")
        self.assertEqual((self.outputs / "again.html").read_bytes(), (folder / "report.html").read_bytes())

    def test_of_every_verb_prints_again(self):
        for arguments in (["inspect", self.model], ["weights", self.model, "--treatment", TREATMENT], ["perplexity", self.model, *self.text],
                          ["perplexity", self.model, *self.sweep], ["sensitivity", self.model, *self.sweep]):  # fmt: skip
            with self.subTest(arguments[0]):
                text = self.run_ok(*arguments, "--json", "results.json").out
                self.assertEqual(self.run_ok("report", "results.json").out, text)

    def test_of_results_without_the_newer_statistics_prints_and_has_a_page(self):
        document = self.run_json("diagnose", self.model, *self.sweep, "-o", "report")
        treated = document["result"]["all_treated"]
        newer = [name for name in treated if name.startswith(("ppl_", "delta_p_")) or name in ("nll_correlation", "top1_agreement_ci95")]
        self.assertEqual(len(newer), 11, newer)
        for name in newer:
            del treated[name]
        (self.outputs / "old.json").write_text(json.dumps(document))
        text = self.run_ok("report", "old.json").out
        self.assertIn("same top token", text)
        self.assertNotIn("Δp", text)
        self.run_ok("report", "old.json", "-o", "old.html")
        self.assertIn("How far the predictions move", (self.outputs / "old.html").read_text())

    def test_of_sensitivity_is_a_page_too(self):
        self.run_ok("sensitivity", self.model, *self.sweep, "--json", "results.json")
        self.run_ok("report", "results.json", "-o", "report.html")
        self.assertIn("<html", (self.outputs / "report.html").read_text().lower())

    def test_says_which_verbs_have_a_page(self):
        results = self.write("results.json", self.run_ok("inspect", self.model, "--json", "-").out)
        self.assert_refuses(USAGE, ["report", results, "-o", "report.html"], ["inspect", "diagnose", "sensitivity"])

    def test_is_one_file_that_fetches_nothing(self):
        self.run_ok("diagnose", self.model, *self.sweep, "-o", "report")
        page = (self.outputs / "report" / "report.html").read_text()
        self.assertNotRegex(page, r"""(?i)(src|href)\s*=\s*["']?(https?:)?//|@import|url\(\s*["']?https?:""")
        self.assertIn("model.layers.0.mlp.down_proj", page)


class Convert(CliTest):
    def tensors(self, folder):
        return read_safetensors(folder / "model.safetensors")

    def test_to_f32_and_back_keeps_every_bit(self):
        self.run_ok("convert", self.model, "wide", "--dtype", "f32")
        self.run_ok("convert", "wide", "narrow", "--dtype", "bf16")
        self.assertEqual(self.tensors(self.outputs / "narrow"), self.tensors(self.model))
        wide = self.tensors(self.outputs / "wide")
        self.assertEqual({t[0] for t in wide.values()}, {"F32"})
        self.assertEqual(json.loads((self.outputs / "wide" / "config.json").read_text())["torch_dtype"], "float32")
        result = self.result("perplexity", "wide", *self.text, "--against", self.model)
        self.assertEqual((result["kl_mean"], result["delta_nll"]), (0, 0))

    def test_joins_shards_and_keeps_biases_and_rope(self):
        ids = self.write_ids(some_windows(2, vocabulary=509))
        for name in MODELS:
            with self.subTest(name):
                self.run_ok("convert", TINY / name, name, "--dtype", "f32")
                self.assertEqual(sorted(os.listdir(self.outputs / name)), ["config.json", "model.safetensors"])
                result = self.result("perplexity", name, "--ids", ids, "--against", TINY / name)
                self.assertEqual(result["kl_mean"], 0)

    def test_of_gguf_gives_its_weights_and_its_tokenizer(self):
        self.run_ok("convert", GGUF, "folder", "--dtype", "f32")
        self.assertEqual(sorted(os.listdir(self.outputs / "folder")), ["config.json", "model.safetensors", "tokenizer.json"])
        result = self.result("perplexity", "folder", "--against", GGUF, "--window", 128, "--max-windows", 2)
        self.assertEqual((result["kl_mean"], result["delta_nll"], result["tokens_scored"]), (0, 0, 254))
        expected = read_safetensors(DATA / "gguf" / "llama-a-q8_0" / "dequant.safetensors")
        converted = self.tensors(self.outputs / "folder")
        for name, (dtype, shape, data) in expected.items():
            self.assertEqual(converted[name], (dtype, shape, data), name)


class Interruption(CliTest):
    def interrupt(self, *arguments):
        """Runs with a terminal as stderr, sends SIGINT once its progress bar shows, and returns status and stderr."""
        controller, terminal = pty.openpty()
        command = [str(assay_program.program), *map(str, arguments)]
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.inputs / "cache")}
        process = subprocess.Popen(command, cwd=self.outputs, stdout=subprocess.PIPE, stderr=terminal, env=environment)
        os.close(terminal)
        shown, sent, end = b"", False, time.monotonic() + 120
        while time.monotonic() < end:
            if select.select([controller], [], [], 1)[0]:
                try:
                    shown += os.read(controller, 4096)
                except OSError:  # the program closed its end
                    break
            if b" left" in shown and not sent:
                process.send_signal(signal.SIGINT)
                sent = True
        os.close(controller)
        out, _ = process.communicate(timeout=30)
        self.assertTrue(sent, f"no progress bar was shown: {shown!r}")
        self.assertEqual(out, b"")
        return process.returncode, shown.decode()

    def test_ends_with_130_and_leaves_no_file(self):
        ids = self.write_ids(some_windows(120, tokens=512))
        sweep = ["--ids", ids, "--max-windows", 0, "--treatment", TREATMENT]
        for arguments in (["perplexity", *sweep[:4], "--backend", "reference", "--json", "out.json"],
                          ["sensitivity", *sweep, "--json", "out.json"], ["diagnose", *sweep, "-o", "report"]):  # fmt: skip
            with self.subTest(arguments[0]):
                code, shown = self.interrupt(arguments[0], self.model, *arguments[1:])
                self.assertEqual(code, INTERRUPTED, shown)
                self.assertIn("assay: interrupted", shown)
                self.assert_left_nothing()

    def test_of_convert_leaves_no_folder(self):
        big = ModelFolder(self.inputs / "big")
        layers = 120
        big.change_config(num_hidden_layers=layers, intermediate_size=4096)
        tensors = read_safetensors(big.weights_file)
        block = {n: t for n, t in tensors.items() if ".layers.0." in n}
        for name, shape in (("gate_proj", [4096, 96]), ("up_proj", [4096, 96]), ("down_proj", [96, 4096])):
            block[f"model.layers.0.mlp.{name}.weight"] = ("BF16", shape, bytes(2 * 4096 * 96))
        outer = {n: t for n, t in tensors.items() if ".layers." not in n}
        every = {n.replace(".0.", f".{i}.", 1): t for i in range(layers) for n, t in block.items()}
        write_safetensors(big.weights_file, outer | every)
        code, shown = self.interrupt("convert", big.path, "converted", "--dtype", "f32")
        self.assertEqual(code, INTERRUPTED, shown)
        self.assert_left_nothing()


class Usage(CliTest):
    def test_outputs_that_cannot_be_written_are_a_failure(self):
        weights = ["weights", self.model, "--treatment", TREATMENT]
        with open("/dev/full", "w") as full:
            command = [str(assay_program.program), *map(str, weights)]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, FAILURE)
        self.assertIn("standard output", done.stderr)

    def test_outputs_that_have_no_place_are_refused_before_the_work(self):
        taken = self.write("taken", "a file")
        for arguments, says in ((["weights", self.model, "--json", "no-folder/weights.json"], "no folder no-folder"),
                                (["diagnose", self.model, *self.sweep, "-o", taken], "is not a folder")):
            done = assay_program.run(*arguments, cwd=self.outputs)
            self.assertEqual((done.code, done.out), (assay_program.USAGE, ""), arguments)
            self.assertIn(says, done.err)
            self.assert_left_nothing()

    def test_help_and_version_end_with_0(self):
        for arguments in (["--help"], ["--version"], ["diagnose", "--help"], ["convert", "--help"]):
            done = assay_program.run(*arguments)
            self.assertEqual((done.code, done.err), (OK, ""), arguments)
            self.assertNotEqual(done.out, "")

    def test_results_go_to_stdout_and_the_rest_to_stderr(self):
        done = self.run_ok("diagnose", self.model, *self.sweep, "-o", "report")
        self.assertIn("model.layers.0.mlp.down_proj", done.out)
        self.assertRegex(done.err, r"^predicted: about .* s and at most .* GiB of memory\n")
        self.assertRegex(done.err, r"noise floor: KL .* nats per token")
        self.assertTrue(done.err.endswith("wrote report/results.json and report.html\n"), done.err)


if __name__ == "__main__":
    assay_program.main()
