# make help   lists what there is
#
# PYTHON=/path/to/python   which interpreter makes .venv (default: the newest of 3.13, 3.12, 3.11 that works)
# TORCH_INDEX=URL          where pip looks for torch besides the package index, as https://download.pytorch.org/whl/cpu
# ARGS='...'               overrides for train, options for test

VENV ?= .venv
PYTHON ?=
TORCH_INDEX ?=
ARGS ?=

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup train test test-slow lint format docs bench gpu clean

BIN := $(VENV)/bin
# Quiet twice: once still lets pip's notes on its own configuration through.
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet install --constraint constraints.txt \
       $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

# Neither a network nor an installation is needed: packages that the machine lacks are taken from CARRIED.
GPU_PYTHON := $(or $(PYTHON),$(wildcard $(BIN)/python),python3)
CARRIED := build/carried

PYTEST := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

define find_python
new_enough=; python=; \
for candidate in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3 python); do \
    "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
    new_enough=$$candidate; \
    "$$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1 || continue; \
    python=$$candidate; break; \
done; \
if [ -z "$$new_enough" ]; then \
    echo "make: expected $(if $(PYTHON),PYTHON=$(PYTHON) to be) Python 3.11 or newer, found none;" \
         "install one or name it: make setup PYTHON=/path/to/python3.11" >&2; exit 2; \
elif [ -z "$$python" ]; then \
    echo "make: $$new_enough has no venv module; on Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 2; \
fi
endef

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | awk -F ':.*## ' '{ printf "make %-9s  %s\n", $$1, $$2 }'

setup: $(VENV)/.setup ## make .venv and install the package and what it needs

train: setup ## train with the defaults (10 minutes on two cores) and score; ARGS='experiment=pcpnet data.root=DIR'
	@$(BIN)/tensorframes train $(ARGS)

test: $(VENV)/.dev ## all tests but the slow ones (3 minutes on two cores); ARGS='tests/frames -k flat' for some
	@$(PYTEST) $(ARGS)

test-slow: $(VENV)/.dev ## the slow tests alone (5 minutes on two cores)
	@$(PYTEST) -m slow $(ARGS)

lint: $(VENV)/.dev ## ruff, mypy and, where it is installed, hadolint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@if [ -x $(BIN)/hadolint ]; then $(BIN)/hadolint Dockerfile && echo "hadolint: no issues found in Dockerfile"; \
	else echo "hadolint is not installed: Dockerfile not checked"; fi

format: $(VENV)/.dev ## let ruff mend what it can
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

docs: $(VENV)/.dev ## build the documentation site, warnings being errors; OUT=FOLDER (default: build/docs)
	@$(BIN)/sphinx-build -q -W -b html docs $(or $(OUT),build/docs)
	@echo "$(or $(OUT),build/docs)/index.html"

bench: setup ## the table of speed targets, and bench.json; ARGS='messages normals' for some, ARGS=--quick
	@$(BIN)/python -m benchmarks $(ARGS)

gpu: ## what needs a GPU, in MINUTES=9; again, and it goes on; PYTHON=python3 where there is no .venv
	@PYTHONPATH="$(CARRIED)$${PYTHONPATH:+:$$PYTHONPATH}" $(GPU_PYTHON) -m benchmarks.gpu --minutes $(or $(MINUTES),9) $(ARGS)

clean: ## remove .venv and what builds and tests leave; data and outputs stay
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -not -path './data/*' -prune -exec rm -rf {} +

$(VENV)/.setup: pyproject.toml constraints.txt
	@$(find_python); \
	if ! $(BIN)/python -c 'import pip' >/dev/null 2>&1; then \
	    echo "making $(VENV) with $$("$$python" --version)"; "$$python" -m venv --clear $(VENV); \
	fi
	@echo "installing tensorframes and what it needs (torch is large: a few minutes the first time)"
	@$(PIP) --editable '.[train,wandb]'
	@touch $@

$(VENV)/.dev: $(VENV)/.setup
	@echo "installing the tools for tests, linting and documentation"
	@$(PIP) --editable '.[dev]'
	@$(PIP) --editable '.[open3d-cpu]' || echo "open3d could not be installed here: tests that need it will be skipped"
	@touch $@
