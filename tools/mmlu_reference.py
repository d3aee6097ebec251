#!/usr/bin/env python3
"""MMLU by transformers, as lm-evaluation-harness 0.4 asks it: the reference that `assay eval --task mmlu` is compared with.

    assay eval MODEL --task mmlu --task-data DATA --shots 5 --max-questions 400 --json eval.json
    tools/mmlu_reference.py MODEL DATA eval.json [-o answers.json]

Answers the questions that eval.json holds, with its number of shots, in float32, and tells how many answers agree. Nothing
of Assay is used but the questions' names. Needs torch and transformers (tools/requirements.txt).
"""
import argparse
import csv
import json
import sys
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

LETTERS = "ABCD"


def read_rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row]
    if rows and rows[0][-1] == "answer":
        rows = rows[1:]
    return [(row[0], row[1:5], LETTERS.find(row[5]) if row[5] in LETTERS else int(row[5])) for row in rows]


def doc_to_text(question, choices):
    return question.strip() + "".join(f"\n{letter}. {choice}" for letter, choice in zip(LETTERS, choices)) + "\nAnswer:"


def prompt_of(data, subject, shots):
    examples = read_rows(data / "dev" / f"{subject}_dev.csv")[:shots]
    described = f"The following are multiple choice questions (with answers) about {subject.replace('_', ' ')}.\n\n"
    return described + "".join(f"{doc_to_text(q, c)} {LETTERS[a]}\n\n" for q, c, a in examples)


def encode_pair(tokenizer, context, continuation):
    """The harness's TemplateLM._encode_pair for a context without space at its end."""
    whole = tokenizer.encode(context + continuation)
    return whole, len(tokenizer.encode(context))


def log_likelihoods(model, tokenizer, context):
    """Of each letter; equal inputs run once."""
    sums, seen = [], {}
    for letter in LETTERS:
        whole, begin = encode_pair(tokenizer, context, f" {letter}")
        lost = max(0, len(whole) - model.config.max_position_embeddings)
        inputs, scored = tuple(whole[lost:-1]), whole[begin:]
        if inputs not in seen:
            logits = model(torch.tensor([inputs]), logits_to_keep=len(scored)).logits[0]
            seen[inputs] = logits.double().log_softmax(-1)
        sums.append(sum(seen[inputs][i, token].item() for i, token in enumerate(scored)))
    return sums


def answers(model, tokenizer, data, shots, ids):
    tests, prompts, found = {}, {}, {}
    for done, name in enumerate(ids):
        if done % 50 == 0:
            print(f"{done} of {len(ids)} questions", file=sys.stderr, flush=True)
        subject, number = name.rsplit("/", 1)
        if subject not in tests:
            tests[subject] = read_rows(data / "test" / f"{subject}_test.csv")
            prompts[subject] = prompt_of(data, subject, shots)
        question, choices, answer = tests[subject][int(number)]
        sums = log_likelihoods(model, tokenizer, prompts[subject] + doc_to_text(question, choices))
        found[name] = {"chosen": max(range(4), key=lambda c: sums[c]), "answer": answer, "log_likelihoods": sums}
    return found


def compare(found, questions):
    """Lines about how far two runs agree."""
    same = [q for q in questions if found[q["id"]]["chosen"] == q["chosen"]]
    assert all(found[q["id"]]["answer"] == q["answer"] for q in questions)
    apart = max(abs(a - b) for q in questions for a, b in zip(found[q["id"]]["log_likelihoods"], q["log_likelihoods"]))
    accuracy = sum(f["chosen"] == f["answer"] for f in found.values()) / len(found)
    subjects = {q["id"].rsplit("/", 1)[0] for q in questions}
    yield f"{len(same)} of {len(questions)} answers agree ({100 * len(same) / len(questions):.2f} %), {len(subjects)} subjects"
    yield f"accuracy {100 * accuracy:.2f} %; largest difference of a log-likelihood {apart:.2g} nats"
    for q in questions:
        if found[q["id"]]["chosen"] != q["chosen"]:
            best = sorted(found[q["id"]]["log_likelihoods"])[-2:]
            yield f"  {q['id']}: {LETTERS[q['chosen']]} here {LETTERS[found[q['id']]['chosen']]}, by {best[1] - best[0]:.2g} nats"


@torch.inference_mode()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    result = json.loads(arguments.results.read_text())["result"]
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    begun = time.monotonic()
    found = answers(model, tokenizer, arguments.data, result["shots"], [q["id"] for q in result["questions"]])
    seconds = time.monotonic() - begun
    print("\n".join(compare(found, result["questions"])))
    print(f"{len(found) / seconds:.2f} questions/s")
    if arguments.output:
        arguments.output.write_text(json.dumps(found, indent=1) + "\n")
    return 0 if all(found[q["id"]]["chosen"] == q["chosen"] for q in result["questions"]) else 1


if __name__ == "__main__":
    sys.exit(main())
