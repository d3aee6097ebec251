#!/usr/bin/env python3
"""Holds every #include of src/ to the layer table in src/CMakeLists.txt.

A file of module M may include headers of M and of the modules that M's row names (or, transitively, nothing more:
each row is written out). Also: no header includes upwards by a relative path, headers have #pragma once, and no
header has `using namespace`. Prints each offence; exit status 1 if there is one.
"""
import re
import sys
from pathlib import Path

ROW = re.compile(r"^assay_module\((\w+)(?:\s+USES\s+([\w\s]+?))?(?:\s+LIBS\s+[^)]*)?\)$")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def table(cmake: str) -> dict[str, set[str]]:
    rows = {}
    for line in cmake.splitlines():
        if not line.startswith("assay_module("):
            continue
        match = ROW.match(line)
        if not match:
            sys.exit(f"src/CMakeLists.txt: cannot read the layer row: {line}")
        uses = set((match.group(2) or "").split())
        later = uses - rows.keys()
        if later:
            sys.exit(f"src/CMakeLists.txt: {match.group(1)} uses {sorted(later)}, which stand below it or nowhere")
        rows[match.group(1)] = uses
    return rows


def offences(src: Path, rows: dict[str, set[str]]):
    for path in sorted(p for p in src.rglob("*") if p.suffix in {".h", ".cpp", ".cu"}):
        module = path.relative_to(src).parts[0]
        where = path.relative_to(src.parent)
        if module not in rows:
            yield f"{where}: folder {module} has no row in the layer table"
            continue
        text = path.read_text()
        if path.suffix == ".h":
            if "#pragma once" not in text:
                yield f"{where}: no #pragma once"
            if "using namespace" in text:
                yield f"{where}: using namespace in a header"
        for number, line in enumerate(text.splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match.group(1).split("/")[0]
            if target not in rows:
                yield f"{where}:{number}: include \"{match.group(1)}\" is not a path from src/"
            elif target != module and target not in rows[module]:
                yield f"{where}:{number}: {module} may not use {target}"


def main() -> int:
    src = Path(__file__).resolve().parent.parent / "src"
    rows = table((src / "CMakeLists.txt").read_text())
    found = list(offences(src, rows))
    print("\n".join(found) if found else f"{len(rows)} modules: every include points down")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
