# What a newcomer needs: `make run` and `make test`. Both install what is missing, from the
# package registries that the host is configured for.
SHELL := /bin/bash
VENV ?= .venv
PY := $(VENV)/bin/python
JOBS ?= auto

.DEFAULT_GOAL := help
.PHONY: help setup setup-test run test test-all bench lint format clean

help: ## List the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */  make \1\t/'

setup: ## Install what is missing: Debian packages, a virtual environment, locked wheels.
	@tools/setup.sh "$(VENV)" run

setup-test: ## The same, with what the test suite needs.
	@tools/setup.sh "$(VENV)" test

run: setup ## Build the store appliance, boot it, print endpoint, console URL and keys.
	@$(PY) tools/run_store.py $(RUN_ARGS)

test: setup-test ## Everything that CI runs.
	@$(PY) -m pytest -n $(JOBS) --dist loadgroup -m "not slow"

test-all: setup-test ## The same and the long runs.
	@$(PY) -m pytest -n $(JOBS) --dist loadgroup --hypothesis-profile=explore

bench: setup ## Ours against peers; see bench/README.md.
	@$(PY) -m bench

lint: setup-test ## Format, lint, types, import contracts, tidiness.
	@$(PY) -m pytest -q tests/tidy

format: setup ## Format the sources.
	@$(VENV)/bin/ruff format . && $(VENV)/bin/ruff check --fix .

clean: ## Remove the virtual environment and caches of this checkout.
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
