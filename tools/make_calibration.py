#!/usr/bin/env python3
"""Writes data/calibration/*.jsonl, the calibration sets that the program carries, from their sources.

    tools/make_calibration.py C4 WIKI PYTHON_LIB OUT

C4 and WIKI are the texts of those names in exllamav2's standard calibration data (c4: a document a line; wiki: articles between
<doc ...> and </doc>); PYTHON_LIB is the folder of CPython's standard library. Each line of the output is {"source", "text"}.
"""
import json
import re
import sys
from pathlib import Path

# Modules that stand under the licence of Python alone.
MODULES = ["ast", "configparser", "contextlib", "dataclasses", "functools", "pathlib", "shutil", "statistics", "threading", "traceback"]
PERSONAL = re.compile(r"@|\(?\d{3}\)?[-. ]\d{3}[-. ]\d{4}")  # addresses and telephone numbers


def take(documents, most_bytes):
    """The first documents that fit and repeat little of themselves and of those before: at most 5 % of their runs of 8 words."""
    taken, size, seen = [], 0, set()
    for source, text in documents:
        words = text.split()
        runs = [hash(tuple(words[i : i + 8])) for i in range(len(words) - 7)]
        repeated = len(runs) - len(set(runs)) + len(set(runs) & seen)
        if size + len(text.encode()) <= most_bytes and repeated <= 0.05 * len(runs):
            taken.append((source, text))
            size += len(text.encode())
            seen.update(runs)
    return taken


def c4(path):
    for number, line in enumerate(path.read_text().split("\n")):
        if 4500 <= len(line) <= 30000 and not PERSONAL.search(line):
            yield f"c4 line {number}", line


def wiki(path):
    for address, text in re.findall(r'<doc id="\d+" url="([^"]*)" title="[^"]*">\n(.*?)\n*</doc>', path.read_text(), re.S):
        if 6500 <= len(text) <= 40000:
            yield address, text


def code(folder):
    for name in MODULES:
        yield f"CPython Lib/{name}.py", (folder / f"{name}.py").read_text()


def main():
    sources, out = sys.argv[1:4], Path(sys.argv[4])
    sets = {
        "c4": take(c4(Path(sources[0])), 550_000),
        "wiki": take(wiki(Path(sources[1])), 550_000),
        "code": take(code(Path(sources[2])), 480_000),
    }  # fmt: skip
    for name, documents in sets.items():
        lines = [json.dumps({"source": source, "text": text}, ensure_ascii=False) for source, text in documents]
        (out / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        print(name, len(documents), "documents,", sum(len(text.encode()) for _, text in documents), "bytes of text")


if __name__ == "__main__":
    main()
