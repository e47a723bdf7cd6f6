# `make demo` and `make test` are all a fresh machine needs: python3 (3.11 or later), make, and the network once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check check-js fast docs linkcheck bench web mutants soak wheel release-test clean

demo: $(VENV)/.base
	$(BIN)/stream-sep demo --out out/demo

test: check
	$(BIN)/python -m pytest

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python tools/vendor.py

check-js: # needs npm
	npm ci --prefix tools/js --silent
	tools/js/node_modules/.bin/tsc -p tools/js

fast: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m "not slow" -n auto --dist loadfile

docs: $(VENV)/.dev
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build

linkcheck: $(VENV)/.dev
	$(BIN)/python -m sphinx -q -b linkcheck docs docs/_build/links

web: $(VENV)/.web
	$(BIN)/stream-sep serve --demo-song

wheel: $(VENV)/.base # with the plug-in for every system: minutes, and about 600 MB for the compiler
	STREAM_SEP_BUILD_PLUGIN=all $(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

release-test: $(VENV)/.dev # needs Wine and qemu: apt install wine64 qemu-user libc6-arm64-cross
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[plugin]'
	STREAM_SEP_RELEASE_TESTS=1 $(BIN)/python -m pytest -m release tests/bridge/plugin

bench: $(VENV)/.base
	$(BIN)/stream-sep bench

mutants: $(VENV)/.dev
	$(BIN)/python tools/mutants

soak: $(VENV)/.base
	$(BIN)/stream-sep bench soak

$(VENV)/.base: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "stream_sep needs Python 3.11 or later, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV); about 90 MB to download, a minute or two"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[live]'
	$(BIN)/stream-sep warm-up
	touch $@

$(VENV)/.web: $(VENV)/.base
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[web]'
	touch $@

$(VENV)/.dev: $(VENV)/.base
	@echo "installing what the tests need; with torch and Ray, gigabytes to download"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) out
