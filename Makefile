# Everything here installs what it needs by itself. A fresh machine needs Python 3.11 or later (with venv and pip) and make.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAM_VENV := .venv-sam
UV_VENV := .venv-uv
UV_VERSION := 0.13.9
ASL_VALIDATOR_VERSION := 4.0.0
STAMP := $(VENV)/installed
SAM_STAMP := $(SAM_VENV)/installed
UV_STAMP := $(UV_VENV)/$(UV_VERSION)

# What the targets hand on: make demo ORDER=my.json ITEMS=500, make test PYTEST_ARGS='-k push -x'
ORDER ?=
ITEMS ?=
WORKFLOW ?=
PYTEST_ARGS ?=
WORKERS ?= 2

##@ Use it

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(STAMP) ## Run the example workflow on a local stack (ORDER=file.json ITEMS=500 WORKFLOW=name)
	@$(BIN)/python -m infra.local.demo $(if $(ORDER),--order '$(ORDER)') $(if $(ITEMS),--items '$(ITEMS)') $(if $(WORKFLOW),--workflow '$(WORKFLOW)')

.PHONY: local
local: $(STAMP) ## Keep a local stack up and print how to point boto3 and the AWS CLI at it
	@$(BIN)/python -m infra.local

##@ Test it

.PHONY: test
test: $(STAMP) ## Run every test but the long proofs and SAM in containers (PYTEST_ARGS='-k push')
	$(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

.PHONY: test-sam
test-sam: $(STAMP) $(SAM_STAMP) ## Run the functions in containers with SAM local
	$(BIN)/python -m pytest -m sam $(PYTEST_ARGS)

.PHONY: prove
prove: $(STAMP) ## Run the long proofs: simulation, races and faults at full length
	$(BIN)/python -m pytest -n $(WORKERS) -m prove $(PYTEST_ARGS)

.PHONY: bench
bench: $(STAMP) ## Measure speed and cost on DynamoDB Local against their targets
	$(BIN)/python -m tests.bench

##@ Work on it

.PHONY: check
check: $(STAMP) ## Formatting, lint, types, template and state machines
	$(BIN)/ruff check
	$(BIN)/mypy

# --no-deps: the lock file names every package. --no-compile: Python compiles what it imports.
PIP_INSTALL := -m pip install -qq --disable-pip-version-check --no-deps --no-compile --require-hashes

define make_venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "runstore needs Python 3.11 or later and '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true). Name another one: make PYTHON=python3.13 ..." >&2; exit 1; }
	@echo 'Installing into $(1) from $(2) ...'
	@test -x $(1)/bin/python || $(PYTHON) -m venv $(1) || { echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu install python3-venv." >&2; exit 1; }
	@$(1)/bin/python $(PIP_INSTALL) -r $(2)
endef

# The path file puts functions/ on sys.path, so `import runstore` is the source that is deployed.
$(STAMP): requirements-dev.lock
	$(call make_venv,$(VENV),requirements-dev.lock)
	@$(BIN)/python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "runstore.pth").write_text("../../../../functions\n")'
	@touch $@

$(SAM_STAMP): requirements-sam.lock
	$(call make_venv,$(SAM_VENV),requirements-sam.lock)
	@touch $@

$(UV_STAMP):
	$(PYTHON) -m venv $(UV_VENV)
	$(UV_VENV)/bin/python -m pip install -qq uv==$(UV_VERSION)
	@touch $@

UV_COMPILE := $(UV_VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command 'make lock'

.PHONY: lock
lock: $(UV_STAMP) ## Make the lock files anew from pyproject.toml (UPGRADE=1: newest versions)
	$(UV_COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --extra handlers --group dev -o requirements-dev.lock
	$(UV_COMPILE) $(if $(UPGRADE),--upgrade) --group sam -o requirements-sam.lock
