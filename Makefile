# The thin front: everything a fresh Debian machine needs is installed by tools/setup.sh from the project's own lists.
PRESET ?= release
MODEL_DIR ?= build/models
DEMO_OUT ?= build/demo
DEMO_FLAGS ?= --max-windows 4 --window 256 --context 64

.PHONY: setup build demo test bench tidy venv

setup:
	@tools/setup.sh

build: setup
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET)

# Installs, builds, fetches the small model, finds the linears that int4 breaks; leaves the report in $(DEMO_OUT).
demo: build
	@model=$$(tools/fetch_model.sh $(MODEL_DIR)) && \
	build/$(PRESET)/assay diagnose "$$model" --treatment int4-g64:rtn $(DEMO_FLAGS) -o $(DEMO_OUT)

# A virtual environment with what the Python tools and their tests need.
venv: setup
	@test -x build/venv/bin/python || (python3 -m venv build/venv && build/venv/bin/pip install -q --disable-pip-version-check -r tools/requirements.txt)

# Installs, builds, runs all tests; the real model's too.
test: build venv
	@tools/fetch_model.sh $(MODEL_DIR) >/dev/null
	@ctest --preset $(PRESET)

bench: build
	@cmake --build --preset $(PRESET) --target bench_programs
	@bench/run.sh build/$(PRESET) $(MODEL_DIR)

# The positive list of .clang-tidy over all sources but the tests; some minutes.
tidy: setup
	@cmake --preset clang >/dev/null
	@run-clang-tidy-14 -quiet -p build/clang '/src/((?!_test).)*\.cpp$$'
