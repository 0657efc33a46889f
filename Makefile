# Thin names for the `sandbox` command. Everything it needs is installed on the first call.
SCENARIO ?= skewed_preprocessing
SEED ?=
WORKSPACE ?=
SUBMISSION ?=
CANDIDATE ?=
RUNTIME ?=
VERSION ?= v2
ARGS ?=

PYTHON ?= python3.11
BIN := .venv/bin
SANDBOX := $(BIN)/sandbox
PICK = $(if $(WORKSPACE),--workspace $(WORKSPACE))

# Byte code is written once at installation; a shell that forbids it would pay for it at every start.
unexport PYTHONDONTWRITEBYTECODE
# A shell's own Python settings must not leak into the sandbox.
unexport PYTHONPATH
unexport PYTHONHOME

.DEFAULT_GOAL := help
.PHONY: help setup start status logs release check submit stop kit grade regrade prove test lint format bench lock clean doctor list

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.installed ## install everything into .venv (the other targets do this by themselves)

.venv/.installed: requirements.lock pyproject.toml sandbox/system/tools.py
	@command -v $(PYTHON) >/dev/null || { echo "expected Python 3.11 as $(PYTHON); saw none; try: make PYTHON=/path/to/python3.11"; exit 2; }
	@echo "Installing into .venv (once, under a minute) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $$(grep -o '^uv==[^ ]*' requirements.lock)
	@$(BIN)/python -m sandbox.system.tools & \
	$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements.lock; done=$$?; wait; exit $$done
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $@

list: setup ## the scenarios there are
	@$(SANDBOX) list

start: setup ## start a take-home: SCENARIO=, SEED=, WORKSPACE=, RUNTIME=
	@$(SANDBOX) start $(SCENARIO) $(if $(SEED),--seed $(SEED)) $(PICK) $(if $(RUNTIME),--runtime $(RUNTIME)) $(ARGS)

status: setup ## what runs, with live figures
	@$(SANDBOX) status $(ARGS)

logs: setup ## the service's last log lines
	@$(SANDBOX) logs $(ARGS)

release: setup ## ship a release through your manifest, where the take-home is about that: VERSION=v2
	@$(SANDBOX) release $(VERSION) $(ARGS)

check: setup ## run the public checks on your workspace
	@$(SANDBOX) check $(PICK) $(ARGS)

submit: setup ## pack your workspace into submissions/
	@$(SANDBOX) submit $(PICK) $(ARGS)

stop: setup ## stop everything that start started
	@$(SANDBOX) stop $(ARGS)

kit: setup ## make what to hand to a candidate: SCENARIO=, CANDIDATE=, the secret in SANDBOX_SECRET
	@$(SANDBOX) kit $(SCENARIO) $(if $(CANDIDATE),--candidate $(CANDIDATE)) $(ARGS)

grade: setup ## grade the last submission, or SUBMISSION=archive or folder
	@$(SANDBOX) grade $(SUBMISSION) $(if $(SEED),--seed $(SEED)) $(if $(CANDIDATE),--candidate $(CANDIDATE)) $(if $(RUNTIME),--runtime $(RUNTIME)) $(ARGS)

regrade: setup ## grade again from evidence alone: ARGS=results/<id>
	@$(SANDBOX) regrade $(ARGS)

prove: setup ## grade every attempt of every scenario and compare with what is expected
	@$(SANDBOX) prove $(ARGS)

test: setup ## the project's own tests
	@$(BIN)/python -m pytest $(ARGS)

lint: setup ## ruff, mypy, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: setup ## measure every figure the design promises
	@$(BIN)/python -m tests.bench $(ARGS)

lock: ## compile requirements.lock anew
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra dev pyproject.toml --output-file requirements.lock

doctor: setup ## every tool, its version and what needs it
	@$(SANDBOX) doctor

clean: setup ## stop and sweep what runs left behind
	@$(SANDBOX) clean $(ARGS)
