#!/usr/bin/env python3
"""Bad input, one test each: the exit status, one line that names the file or tensor and what was expected, and no output."""
import json
import shutil
import struct
import unittest

import assay_program
from assay_program import BAD_INPUT, DATA, NUMERIC, USAGE, ProgramTest
from model_folder import ModelFolder, VOCABULARY, safetensors_bytes, some_windows

UP = "model.layers.1.mlp.up_proj"
UP_WEIGHT = UP + ".weight"
BF16_NAN, BF16_INFINITY = 0x7FC0, 0x7F80


class ModelTest(ProgramTest):
    """A tiny folder `self.model` to damage, and ids to measure it on."""

    def setUp(self):
        super().setUp()
        self.model = ModelFolder(self.inputs / "model")
        self.ids = self.write_ids(some_windows(2))

    def assert_no_verb_accepts(self, code, says, model=None):
        model = model or self.model.path
        text = ["--ids", self.ids, "--treatment", "int4-g32"]
        for arguments in (
            ["weights", model, "--treatment", "int4-g32", "--json", "weights.json"],
            ["perplexity", model, "--ids", self.ids, "--json", "perplexity.json"],
            ["sensitivity", model, *text, "--json", "sensitivity.json"],
            ["diagnose", model, *text, "-o", "report"],
            ["convert", model, "converted"],
        ):
            with self.subTest(verb=arguments[0]):
                self.assert_refuses(code, arguments, says)


class Safetensors(ModelTest):
    def assert_refuses_weights(self, *says, code=BAD_INPUT):
        self.assert_no_verb_accepts(code, [self.model.weights_file, *says])

    def assert_refuses_header(self, change, *says):
        self.model.change_header(change)
        self.assert_refuses_weights(*says)

    def test_refuses_a_file_cut_short_in_its_data(self):
        raw = self.model.weights_file.read_bytes()
        self.model.weights_file.write_bytes(raw[:-100])
        self.assert_refuses_weights("cut short", "689472", "689372")

    def test_refuses_a_file_cut_short_in_its_header(self):
        self.model.weights_file.write_bytes(self.model.weights_file.read_bytes()[:1000])
        self.assert_refuses_weights("byte 8")

    def test_refuses_a_file_shorter_than_its_header_length(self):
        self.model.weights_file.write_bytes(b"\x10\0\0")
        self.assert_refuses_weights("byte 0")

    def test_refuses_an_empty_file(self):
        self.model.weights_file.write_bytes(b"")
        self.assert_refuses_weights("byte 0")

    def test_refuses_an_absurd_header_length(self):
        self.model.weights_file.write_bytes(struct.pack("<Q", 1 << 63) + b"{}")
        self.assert_refuses_weights(str(1 << 63), "at most 100000000")

    def test_refuses_a_header_that_is_not_json(self):
        self.model.weights_file.write_bytes(safetensors_bytes(b'{"a": [}', b""))
        self.assert_refuses_weights("JSON")

    def test_refuses_a_header_that_is_not_utf8(self):
        self.model.weights_file.write_bytes(safetensors_bytes(b'{"\xff\xfe": 1}', b""))
        self.assert_refuses_weights("UTF-8")

    def test_refuses_overlapping_tensors(self):
        def overlap(header):
            size = header[UP_WEIGHT]["data_offsets"]
            header[UP_WEIGHT]["data_offsets"] = [size[0] - 2, size[1] - 2]

        self.assert_refuses_header(overlap, UP_WEIGHT, "overlap")

    def test_refuses_offsets_outside_the_file(self):
        last = "model.norm.weight"

        def move(header):
            header[last]["data_offsets"] = [1 << 40, (1 << 40) + 192]

        self.assert_refuses_header(move, last, 1 << 40)

    def test_refuses_a_tensor_that_reaches_past_the_end(self):
        def enlarge(header):
            begin, end = header["model.norm.weight"]["data_offsets"]
            header["model.norm.weight"].update(shape=[2 * 96], data_offsets=[begin, end + 192])

        self.assert_refuses_header(enlarge, "689664", "689472", "cut short")

    def test_refuses_offsets_that_do_not_fit_64_bits(self):
        self.assert_refuses_header(lambda h: h[UP_WEIGHT].update(data_offsets=[0, 1 << 64]), UP_WEIGHT, "data_offsets")

    def test_refuses_negative_offsets(self):
        self.assert_refuses_header(lambda h: h[UP_WEIGHT].update(data_offsets=[-2, 10]), UP_WEIGHT, "data_offsets", "-2")

    def test_refuses_a_shape_whose_size_overflows(self):
        self.assert_refuses_header(lambda h: h[UP_WEIGHT].update(shape=[1 << 62, 1 << 62]), UP_WEIGHT, "overflow")

    def test_refuses_a_shape_that_its_bytes_contradict(self):
        self.assert_refuses_header(lambda h: h[UP_WEIGHT].update(shape=[256, 97]), UP_WEIGHT, "[256, 97]", "49664", "49152")

    def test_refuses_an_unknown_dtype(self):
        self.assert_refuses_header(lambda h: h[UP_WEIGHT].update(dtype="F128"), UP_WEIGHT, "F128")

    def test_refuses_weights_of_an_integer_dtype(self):
        def as_integers(tensors):
            _, shape, data = tensors[UP_WEIGHT]
            tensors[UP_WEIGHT] = ("I32", shape, data * 2)

        self.model.change_weights(as_integers)
        self.assert_refuses_weights(UP_WEIGHT, "i32", "bf16")

    def test_refuses_a_wrong_shape(self):
        def transpose(tensors):
            dtype, _, data = tensors[UP_WEIGHT]
            tensors[UP_WEIGHT] = (dtype, [96, 256], data)

        self.model.change_weights(transpose)
        self.assert_no_verb_accepts(BAD_INPUT, [self.model.path, UP_WEIGHT, "[96, 256]", "[256, 96]"])

    def test_refuses_a_missing_tensor(self):
        self.model.change_weights(lambda tensors: tensors.pop(UP_WEIGHT))
        self.assert_no_verb_accepts(BAD_INPUT, [self.model.path, UP_WEIGHT, "missing", "[256, 96]"])

    def test_refuses_nan_in_a_linear(self):
        self.model.set_elements(UP_WEIGHT, 96 * 3 + 5, [BF16_NAN])
        self.assert_refuses_weights(UP_WEIGHT, "the weights", code=NUMERIC)
        self.assert_refuses(NUMERIC, ["weights", self.model.path], ["nan at row 3, column 5"])

    def test_refuses_infinity_in_the_embedding(self):
        self.model.set_elements("model.embed_tokens.weight", 96 * 511 + 95, [BF16_INFINITY])
        self.assert_refuses_weights("model.embed_tokens.weight", "the weights", code=NUMERIC)
        self.assert_refuses(NUMERIC, ["weights", self.model.path], ["inf at row 511, column 95"])

    def test_refuses_nan_in_a_norm(self):
        name = "model.layers.0.input_layernorm.weight"
        self.model.set_elements(name, 7, [BF16_NAN])
        for verb in (["perplexity", "--ids", self.ids], ["diagnose", "--ids", self.ids, "-o", "report"]):
            self.assert_refuses(NUMERIC, [verb[0], self.model.path, *verb[1:]], [self.model.weights_file, name, "nan"])
        self.assert_refuses(NUMERIC, ["convert", self.model.path, "converted"], [self.model.weights_file, name, "NaN"])

    def test_inspect_reports_damaged_weights(self):
        self.model.set_elements(UP_WEIGHT, 0, [BF16_NAN])
        warnings = self.result("inspect", self.model.path)["warnings"]
        self.assertTrue(any(UP_WEIGHT in w and "nan" in w for w in warnings), warnings)


class Shards(ModelTest):
    def setUp(self):
        super().setUp()
        self.model = ModelFolder(self.inputs / "sharded", "llama-bias-sharded")
        self.index = self.model.path / "model.safetensors.index.json"
        self.shard = "model-00002-of-00003.safetensors"

    def change_index(self, change):
        index = json.loads(self.index.read_text())
        change(index["weight_map"])
        self.index.write_text(json.dumps(index))

    def test_refuses_a_missing_shard(self):
        (self.model.path / self.shard).unlink()
        self.assert_no_verb_accepts(BAD_INPUT, [self.model.path / self.shard, "missing"])

    def test_refuses_an_index_that_points_outside_the_folder(self):
        self.change_index(lambda shard_of: shard_of.update({"model.norm.weight": f"../model/{self.shard}"}))
        self.assert_no_verb_accepts(BAD_INPUT, [self.index, "same folder"])

    def test_refuses_an_index_that_names_the_wrong_shard(self):
        self.change_index(lambda shard_of: shard_of.update({"model.norm.weight": "model-00001-of-00003.safetensors"}))
        self.assert_no_verb_accepts(BAD_INPUT, ["model-00001-of-00003.safetensors", "model.norm.weight"])

    def test_refuses_an_index_that_is_not_json(self):
        self.index.write_text("{")
        self.assert_no_verb_accepts(BAD_INPUT, [self.index, "JSON"])


class Config(ModelTest):
    def assert_refuses_config(self, *says):
        self.assert_no_verb_accepts(BAD_INPUT, [self.model.config_file, *says])

    def test_refuses_bad_json(self):
        self.model.config_file.write_text('{"architectures": ["LlamaForCausalLM"], "hidden_size": }')
        self.assert_refuses_config("JSON")

    def test_refuses_bad_utf8(self):
        raw = self.model.config_file.read_bytes().replace(b"LlamaForCausalLM", b"Llama\xff")
        self.model.config_file.write_bytes(raw)
        self.assert_refuses_config("UTF-8")

    def test_refuses_json_that_is_not_an_object(self):
        self.model.config_file.write_text("[1, 2]")
        self.assert_refuses_config("object")

    def test_refuses_a_missing_size(self):
        self.model.change_config(hidden_size=None)
        self.assert_refuses_config("hidden_size", "missing")

    def test_refuses_a_size_of_the_wrong_type(self):
        self.model.change_config(hidden_size="96")
        self.assert_refuses_config("hidden_size")

    def test_refuses_negative_and_absurd_sizes(self):
        for size in (-1, 0, 1 << 62):
            with self.subTest(size=size):
                self.model.change_config(num_hidden_layers=size)
                self.assert_refuses_config("num_hidden_layers", size)

    def test_refuses_more_layers_than_the_file_has(self):
        self.model.change_config(num_hidden_layers=4)
        self.assert_no_verb_accepts(BAD_INPUT, ["model.layers.3.", "missing"])

    def test_refuses_heads_that_do_not_divide(self):
        self.model.change_config(num_key_value_heads=4)
        self.assert_refuses_config("6", "4", "heads")

    def test_refuses_a_quantized_checkpoint(self):
        self.model.change_config(quantization_config={"quant_method": "gptq", "bits": 4})
        self.assert_refuses_config("gptq", "full-precision")

    def test_refuses_an_unknown_rope_scaling(self):
        self.model.change_config(rope_scaling={"rope_type": "mrope", "factor": 4})
        self.assert_refuses_config("mrope", "llama3")

    def test_refuses_another_architecture_and_names_the_supported_ones(self):
        self.model.change_config(architectures=["MambaForCausalLM"])
        self.assert_refuses_config("MambaForCausalLM", "LlamaForCausalLM")

    def test_inspect_reports_another_architecture(self):
        self.model.change_config(architectures=["MambaForCausalLM"])
        result = self.result("inspect", self.model.path)
        self.assertEqual(result["architecture"], "MambaForCausalLM")
        self.assertIsNone(result["config"])
        self.assertTrue(any("LlamaForCausalLM" in w for w in result["warnings"]), result["warnings"])


class ModelPath(ModelTest):
    def test_refuses_a_model_that_is_not_there(self):
        missing = self.inputs / "missing"
        self.assert_no_verb_accepts(BAD_INPUT, [missing, "no such file or folder"], missing)
        self.assert_refuses(BAD_INPUT, ["inspect", missing], [missing])

    def test_refuses_a_folder_without_config(self):
        self.model.config_file.unlink()
        self.assert_no_verb_accepts(BAD_INPUT, [self.model.path, "config.json"])

    def test_refuses_a_folder_without_weights(self):
        self.model.weights_file.unlink()
        self.assert_no_verb_accepts(BAD_INPUT, [self.model.path, "model.safetensors"])

    def test_refuses_a_file_of_another_kind(self):
        other = self.write("model.bin", b"PK\3\4 not a model" * 10)
        self.assert_no_verb_accepts(BAD_INPUT, [other, "GGUF"], other)

    def test_refuses_a_missing_reference(self):
        missing = self.inputs / "missing"
        self.assert_refuses(BAD_INPUT, ["perplexity", self.model.path, "--ids", self.ids, "--against", missing], [missing])

    def test_refuses_a_reference_of_another_vocabulary(self):
        other = ModelFolder(self.inputs / "other", "llama-bias-sharded").path
        self.ids = self.write_ids(some_windows(2, vocabulary=500))
        self.assert_refuses(BAD_INPUT, ["perplexity", self.model.path, "--ids", self.ids, "--against", other], ["509", "512"])


class Gguf(ModelTest):
    def setUp(self):
        super().setUp()
        self.raw = (DATA / "gguf" / "llama-a-q8_0.gguf").read_bytes()

    def assert_refuses_gguf(self, raw, *says):
        path = self.write("model.gguf", raw)
        self.assert_no_verb_accepts(BAD_INPUT, [path, *says], path)

    def test_refuses_a_file_cut_short_anywhere(self):
        for length in (0, 3, 23, 200, 5000, len(self.raw) - 1):
            with self.subTest(length=length):
                self.assert_refuses_gguf(self.raw[:length])

    def test_refuses_another_magic(self):
        self.assert_refuses_gguf(b"GGML" + self.raw[4:], "GGUF")

    def test_refuses_another_version(self):
        self.assert_refuses_gguf(self.raw[:4] + struct.pack("<I", 9) + self.raw[8:], "version 9")

    def test_refuses_absurd_counts(self):
        for at in (8, 16):  # tensors, keys
            with self.subTest(at=at):
                self.assert_refuses_gguf(self.raw[:at] + b"\xff" * 8 + self.raw[at + 8 :], "at byte")

    def test_refuses_an_absurd_string_length(self):
        at = self.raw.index(b"general.architecture") - 8
        self.assert_refuses_gguf(self.raw[:at] + struct.pack("<Q", 1 << 60) + self.raw[at + 8 :])

    def test_refuses_another_architecture_and_names_the_supported_ones(self):
        at = self.raw.index(b"llama", self.raw.index(b"general.architecture"))
        self.assert_refuses_gguf(self.raw[:at] + b"qwenX" + self.raw[at + 5 :], "qwenX", "llama")

    def test_refuses_a_block_type_that_cannot_be_decoded(self):
        at = self.raw.index(b"output_norm.weight") + len("output_norm.weight")
        dimensions = struct.unpack_from("<I", self.raw, at)[0]
        at += 4 + 8 * dimensions
        raw = self.raw[:at] + struct.pack("<I", 26) + self.raw[at + 4 :]  # I32, of the same size as F32
        path = self.write("integers.gguf", raw)
        ids = self.write_ids([[1, 2, 3, 4]])
        for arguments in (["perplexity", path, "--ids", ids], ["diagnose", path, "--ids", ids, "-o", "report"]):
            with self.subTest(verb=arguments[0]):
                self.assert_refuses(BAD_INPUT, arguments, [path, "model.norm.weight", "I32", "Q8_0"])


class Ids(ModelTest):
    def assert_refuses_ids(self, content, *says, code=BAD_INPUT):
        path = self.write("bad.json", content if isinstance(content, (str, bytes)) else json.dumps(content))
        for verb in (["perplexity", "--json", "out.json"], ["sensitivity", "--json", "out.json"], ["diagnose", "-o", "report"]):
            with self.subTest(verb=verb[0]):
                self.assert_refuses(code, [verb[0], self.model.path, "--ids", path, *verb[1:]], [path, *says])

    def test_refuses_ids_outside_the_vocabulary(self):
        self.assert_refuses_ids([[1, 2, VOCABULARY]], "window 0", VOCABULARY, VOCABULARY - 1)
        self.assert_refuses_ids([[1, 2, 3], [4, -1, 6]], "window 1", "-1")

    def test_refuses_ids_that_are_no_whole_numbers(self):
        for ids in ([[1, 2.5]], [[1, "2"]], [[1, None]], [[1, [2]]]):
            with self.subTest(ids=ids):
                self.assert_refuses_ids(ids, "window 0")

    def test_refuses_ids_that_are_not_json(self):
        self.assert_refuses_ids("1 2 3", "JSON")
        self.assert_refuses_ids("", "JSON")
        self.assert_refuses_ids(b"[[1, 2, \xff]]", "JSON")

    def test_refuses_json_that_is_no_list_of_windows(self):
        for content in ({}, [], 7, [1, 2, 3], "[[1, 2], 3]"):
            with self.subTest(content=content):
                self.assert_refuses_ids(content, "array")

    def test_refuses_windows_too_short_to_score(self):
        self.assert_refuses_ids([[1, 2, 3], [4]], "window 1", "1 tokens")
        self.assert_refuses_ids([[]], "window 0", "0 tokens")

    def test_refuses_a_missing_file(self):
        missing = self.inputs / "no.json"
        self.assert_refuses(BAD_INPUT, ["perplexity", self.model.path, "--ids", missing], [missing])

    def test_refuses_windows_longer_than_the_context(self):
        ids = self.write_ids(some_windows(1, tokens=513))
        self.assert_refuses(USAGE, ["perplexity", self.model.path, "--ids", ids], ["513", "512"])


class Text(ModelTest):
    def setUp(self):
        super().setUp()
        self.model.add_byte_tokenizer()

    def assert_refuses_text(self, content, *says):
        path = self.write("text.txt", content)
        for verb in (["perplexity", "--json", "out.json"], ["sensitivity", "--json", "out.json"], ["diagnose", "-o", "report"]):
            with self.subTest(verb=verb[0]):
                arguments = [verb[0], self.model.path, "--text", path, "--window", 96, *verb[1:]]
                self.assert_refuses(BAD_INPUT, arguments, [path, *says])

    def test_refuses_an_empty_text(self):
        self.assert_refuses_text("", "empty")

    def test_refuses_text_that_is_not_utf8(self):
        self.assert_refuses_text(b"plain, then \xc3\x28" + b"x" * 200, "UTF-8", "byte 12")

    def test_refuses_a_text_shorter_than_a_window(self):
        self.assert_refuses_text("a" * 95, "95 tokens", "96", "--window")

    def test_refuses_a_missing_text(self):
        missing = self.inputs / "no.txt"
        self.assert_refuses(BAD_INPUT, ["perplexity", self.model.path, "--text", missing], [missing])

    def test_refuses_text_and_ids_together(self):
        text = self.write("text.txt", "a" * 200)
        self.assert_refuses(USAGE, ["perplexity", self.model.path, "--text", text, "--ids", self.ids], ["--text", "--ids"])

    def test_refuses_a_model_without_tokenizer_and_offers_ids(self):
        tokenizer = self.model.path / "tokenizer.json"
        tokenizer.unlink()
        self.assert_refuses(BAD_INPUT, ["perplexity", self.model.path], [self.model.path, "neither tokenizer.json nor tokenizer.model", "--ids"])

    def test_refuses_a_tokenizer_that_is_not_json(self):
        tokenizer = self.model.path / "tokenizer.json"
        tokenizer.write_text("{")
        self.assert_refuses(BAD_INPUT, ["perplexity", self.model.path], [tokenizer, "JSON"])

    def test_refuses_a_tokenizer_of_another_model(self):
        shutil.copy(DATA / "tokenizers" / "smollm2" / "tokenizer.json", self.model.path)
        self.assert_refuses(BAD_INPUT, ["perplexity", self.model.path], [self.model.path, "49152", "512"])


class Options(ModelTest):
    def test_refuses_an_unknown_treatment(self):
        for treatment in ("int9", "int4-g0", "int4-g32:magic", "int4-g32(scale=f8)", "fp8", "mxfp6", "nvfp4-g32", "q5", ""):
            for verb in ("weights", "sensitivity", "diagnose"):
                with self.subTest(treatment=treatment, verb=verb):
                    text = [] if verb == "weights" else ["--ids", self.ids]
                    self.assert_refuses(USAGE, [verb, self.model.path, *text, "--treatment", treatment], [treatment])

    def test_refuses_a_regular_expression_that_matches_nothing(self):
        for verb in ("weights", "sensitivity", "diagnose"):
            with self.subTest(verb=verb):
                text = [] if verb == "weights" else ["--ids", self.ids]
                arguments = [verb, self.model.path, *text, "--treatment", "int4-g32", "--linears", "layers.9."]
                self.assert_refuses(USAGE, arguments, ["layers.9.", "none of the model's 22 linears"])

    def test_refuses_a_broken_regular_expression(self):
        self.assert_refuses(USAGE, ["weights", self.model.path, "--linears", "a("], ["a(", "regular expression"])

    def test_refuses_context_that_leaves_nothing_to_score(self):
        for verb in ("perplexity", "sensitivity", "diagnose"):
            with self.subTest(verb=verb):
                self.assert_refuses(USAGE, [verb, self.model.path, "--ids", self.ids, "--context", 96], ["96", "--context"])

    def test_refuses_reference_and_treatment_together(self):
        arguments = ["perplexity", self.model.path, "--ids", self.ids, "--against", self.model.path, "--treatment", "int4-g32"]
        self.assert_refuses(USAGE, arguments, ["--against", "--treatment"])

    def test_refuses_to_convert_onto_something(self):
        (self.inputs / "there").mkdir()
        arguments = ["convert", self.model.path, self.inputs / "there"]
        self.assert_refuses(USAGE, arguments, [self.inputs / "there", "already exists"])

    def test_refuses_values_too_large_for_f16(self):
        self.model.set_elements(UP_WEIGHT, 0, [0x4800])  # 131072 in bf16
        self.assert_refuses(NUMERIC, ["convert", self.model.path, "converted", "--dtype", "f16"], [self.model.weights_file, UP_WEIGHT, "f32"])

    def test_wrong_usage_explains_itself(self):
        for arguments in ([], ["bogus"], ["inspect"], ["inspect", self.model.path, "--bogus"], ["perplexity", self.model.path, "--window", "1"],
                          ["weights", self.model.path, "--threads", "-1"], ["convert", self.model.path, "x", "--dtype", "f64"]):
            with self.subTest(arguments=arguments):
                done = assay_program.run(*arguments, cwd=self.outputs)
                self.assertEqual((done.code, done.out), (USAGE, ""))
                self.assertIn("--help", done.err)
                self.assert_left_nothing()


class Results(ModelTest):
    def test_report_refuses_what_is_no_result(self):
        good = self.run_json("weights", self.model.path, "--treatment", "int4-g32")
        for name, content, says in (
            ("empty", "", "JSON"),
            ("other", "{}", "schema"),
            ("newer", json.dumps({**good, "schema": 2}), "schema"),
            ("verb", json.dumps({**good, "command": "guess"}), "guess"),
            ("field", json.dumps({**good, "result": {"linears": [{"name": 7}]}}), "name"),
        ):
            with self.subTest(name):
                path = self.write("results.json", content)
                self.assert_refuses(BAD_INPUT, ["report", path], [path, says])
                self.assert_refuses(BAD_INPUT, ["report", path, "-o", "report.html"], [path, says])

    def test_report_refuses_a_missing_file(self):
        self.assert_refuses(BAD_INPUT, ["report", self.inputs / "no.json"], [self.inputs / "no.json"])


class Tasks(ModelTest):
    def setUp(self):
        super().setUp()
        self.model.add_byte_tokenizer()

    def assert_refuses_task(self, *says, task="mmlu", code=BAD_INPUT, more=()):
        self.assert_refuses(code, ["eval", self.model.path, "--task", task, *more, "--json", "eval.json"], says)

    def mmlu(self, dev="q,a,b,c,d,A\n", test="q,a,b,c,d,A\n"):
        for part, text in (("dev", dev), ("test", test)):
            (self.inputs / "mmlu" / part).mkdir(parents=True)
            (self.inputs / "mmlu" / part / f"art_{part}.csv").write_text(text)
        return ["--task-data", self.inputs / "mmlu", "--shots", "1"]

    def test_refuses_a_csv_of_another_form(self):
        self.assert_refuses_task("art_test.csv", "line 2", "5 fields, expected 6", more=self.mmlu(test="q,a,b,c,d,A\nq,a,b,c,A\n"))

    def test_refuses_more_shots_than_there_are_examples(self):
        self.assert_refuses_task("art_dev.csv", "holds 0 examples, --shots asks for 1", more=self.mmlu(dev=""))

    def test_refuses_a_folder_without_the_subjects_asked_for(self):
        self.assert_refuses_task("'math'", "test/SUBJECT_test.csv", more=[*self.mmlu(), "--subjects", "math"])

    def test_refuses_mmlu_without_its_files(self):
        self.assert_refuses_task("--task-data", code=USAGE)

    def test_refuses_lines_that_are_no_questions(self):
        file = self.write("q.jsonl", '{"context": "a", "choices": ["b", "c"], "answer": 0}\n{"context": "a"}\n')
        self.assert_refuses_task(file, "line 2", "choices is missing", task=file)

    def test_refuses_a_file_that_is_not_there(self):
        self.assert_refuses_task("none.jsonl", task=self.inputs / "none.jsonl")

    def test_refuses_a_text_of_too_few_sentences(self):
        text = self.write("short.txt", "One sentence only.")
        self.assert_refuses_task(text, "give a longer text", task="continuation", more=["--text", text])

    def test_refuses_options_of_another_task(self):
        self.assert_refuses_task("--shots", task="continuation", code=USAGE, more=["--shots", "2"])
        self.assert_refuses_task("--text", code=USAGE, more=[*self.mmlu(), "--text", self.ids])
        both = ["--treatment", "int4-g32", "--against", self.model.path]
        self.assert_refuses_task("--treatment", task="continuation", code=USAGE, more=both)


if __name__ == "__main__":
    assay_program.main()
