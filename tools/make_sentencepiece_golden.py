#!/usr/bin/env python3
"""Writes cases.json beside each tests/data/tokenizers/sentencepiece-*/tokenizer.model: what SentencePiece does with the
texts of llama2/cases.json, and the SHA-256 of the ids (int32, little-endian) of the evaluation text, line by line; for the unigram
model also what the `tokenizers` library's Precompiled normalizer makes of the texts.

    pip install sentencepiece==0.2.3 tokenizers==0.23.3
    tools/make_sentencepiece_golden.py

The models were trained once (their training is not reproducible to the bit) on the calibration texts that the other
small tokenizers were made from, with SentencePiece 0.2.3:

    sentencepiece-bpe      model_type=bpe vocab_size=1500 character_coverage=0.995 byte_fallback split_digits
                           allow_whitespace_only_pieces normalization_rule_name=identity remove_extra_whitespaces=false
                           user_defined_symbols=<|user|>,<|end|>,aab,"\\n\\n" control_symbols=[INST],[/INST]
    sentencepiece-unigram  model_type=unigram vocab_size=1200 character_coverage=0.995 byte_fallback
                           normalization_rule_name=nmt_nfkc user_defined_symbols=<|user|>,der control_symbols=[INST]
    sentencepiece-suffix   model_type=bpe vocab_size=600 character_coverage=0.98 treat_whitespace_as_suffix
                           normalization rules A>a B>bc C>nothing DE>space é>e+U+0301
"""
import hashlib
import json
import struct
from pathlib import Path

import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data" / "tokenizers"


def main():
    evaluation = (ROOT / "data" / "wikitext-2-raw" / "wiki.test.raw").read_bytes().decode()
    texts = [c["text"] for c in json.loads((DATA / "llama2" / "cases.json").read_text())["cases"]]
    texts += ["<|user|>Hi<|end|> <|user|> you", "aab aaab aaabaab", "[INST] x [/INST]", "  der  Wunder der ", "ABC DE CDE éÉ DEDE A", "C", "x\n\ny\n\n\n"]
    for path in sorted(DATA.glob("sentencepiece-*/tokenizer.model")):
        model = sentencepiece.SentencePieceProcessor(model_file=str(path))
        ids = [i for line in evaluation.split("\n") for i in model.encode(line)]
        cases = [{"text": t, "ids": model.encode(t)} for t in texts]
        if path.parent.name.endswith("unigram"):
            proto = sentencepiece_model_pb2.ModelProto.FromString(path.read_bytes())
            rules = tokenizers.normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap)
            for case in cases:
                case["precompiled"] = rules.normalize_str(case["text"])
        golden = {"sentencepiece_version": sentencepiece.__version__, "evaluation_tokens": len(ids),
                  "evaluation_sha256": hashlib.sha256(struct.pack(f"<{len(ids)}i", *ids)).hexdigest()}
        lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
        (path.parent / "cases.json").write_text(json.dumps(golden)[:-1] + ', "cases": [\n' + lines + "\n]}\n")
        print(f"{path.parent.name}: {len(cases)} cases, {len(ids)} tokens")


if __name__ == "__main__":
    main()
