# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: install demo check test test-long bench docs clean

# What running a model needs, sounds included: no torch, which only training, GPUs and the checks use.
install: $(VENV)/installed
$(VENV)/installed: pyproject.toml constraints.txt src/loquent/native/CMakeLists.txt $(wildcard src/loquent/native/src/*)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	$(PIP) --editable '.[speech]'
	touch $@

# The first look: fetch the default model and let it continue a text.
demo: install
	$(BIN)/loquent models pull smollm2-135m
	$(BIN)/loquent generate --model smollm2-135m --echo --max-tokens 120 --seed 1 "Once upon a time"

# What the checks need on top.
$(VENV)/developer: $(VENV)/installed
	$(PIP) --editable '.[dev]'
	touch $@

check: $(VENV)/developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# One thread of torch a process: pytest already uses every core.
test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not long" --numprocesses auto --maxprocesses 4 --cov --cov-report=term-missing:skip-covered --cov-fail-under=90

# What takes minutes by itself: the C++ under sanitizers, and simulations.
test-long: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m long --timeout 1200

bench: $(VENV)/developer
	$(BIN)/python bench/start.py

docs: $(VENV)/developer
	$(BIN)/python docs/reference.py > docs/reference.md
	$(BIN)/python docs/tree.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .coverage .coverage.*
