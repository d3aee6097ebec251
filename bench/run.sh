#!/usr/bin/env bash
# Speed on SmolLM2, beside transformers where a Python with torch and transformers is given.
# usage: bench/run.sh BUILD_DIR MODEL_DIR        PEER_PYTHON=python-with-torch bench/run.sh …
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: bench/run.sh BUILD_DIR MODEL_DIR}
model=$(tools/fetch_model.sh "${2:?usage: bench/run.sh BUILD_DIR MODEL_DIR}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folder="$work/bf16"
"$build/assay" convert "$model" "$folder" --dtype bf16
for window in 512 2048; do
    "$build/bench/throughput" "$folder" --window $window --windows $((4096 / window)) --windows-file "$work/ids.json"
    if [ -n "${PEER_PYTHON:-}" ]; then
        "$PEER_PYTHON" bench/transformers_perplexity.py "$folder" --ids "$work/ids.json" --windows $((4096 / window))
    fi
done
"$build/bench/throughput" "$folder" --window 512 --windows 4 --repeats 3 --sweep "${SWEEP:-6}"
