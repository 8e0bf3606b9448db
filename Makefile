# octaudit: every task of a developer or a first visitor. `make` prints this list.

SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# The first of these that runs (a name on PATH may be an empty shim). Override with: make PYTHON=/path/to/python
PYTHON ?= $(shell for python in python3.12 python3.11 python3 python3.13; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1 \
	&& { echo $$python; break; }; done)

##@ Start here
.PHONY: demo
demo: $(VENV)/.run-stamp ## Install, start everything, load and score the demo study; Ctrl-C stops it all
	@$(BIN)/octaudit up --demo

.PHONY: up
up: $(VENV)/.run-stamp ## Install and start everything without the demo study
	@$(BIN)/octaudit up

.env: ## Write the passwords that docker-compose.yml asks for, once
	@umask 077 && for name in ADMIN OWNER DASHBOARD WORKER SEALER REDIS; do \
		echo "OCTAUDIT_$${name}_PASSWORD=$$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')"; done > $@
	@echo "Wrote .env."

##@ Check
.PHONY: test
test: $(VENV)/.dev-stamp browser validator ## Install what the tests need, a browser too, and run the whole suite on every core
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --durations=25 --durations-min=10 $(PYTEST)

.PHONY: coverage
coverage: $(VENV)/.dev-stamp browser validator ## The same, and which lines no test runs; watching them takes about half as long again
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --cov --cov-report=term $(PYTEST)

.PHONY: lint
lint: $(VENV)/.dev-stamp ## Style, types and floors
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: audit
audit: $(VENV)/.dev-stamp ## Ask a database of known vulnerabilities about every package; says so where none answers
	@$(BIN)/python .ci/audit_dependencies.py

.PHONY: check
check: lint audit test ## Everything that .ci/run checks

.PHONY: browser
browser: $(VENV)/.dev-stamp # finds a Chromium for the browser tests, or gets one
	@$(BIN)/python tests/browser.py

.PHONY: validator
validator: $(VENV)/.dev-stamp # finds the validator of the DICOM tests, or gets one
	@$(BIN)/python tests/dicom_validator.py

##@ Develop
.PHONY: environment
environment: $(VENV)/.dev-stamp ## Make the environment with everything in it

.PHONY: migration
migration: $(VENV)/.dev-stamp ## Draft a migration from the tables: make migration m="Add the column x"
	@test -n "$(m)" || { echo 'Say what it does: make migration m="Add the column x"'; exit 2; }
	@$(BIN)/python .ci/draft_migration.py "$(m)"

.PHONY: screenshots
screenshots: $(VENV)/.dev-stamp browser ## Picture every page, light and dark, 1440 and 1024 px wide, into runs/screenshots
	@$(BIN)/python .ci/take_screenshots.py runs/screenshots $(ONLY)

.PHONY: docs
docs: $(VENV)/.dev-stamp ## Write settings table, commands page and the models' figures from the program and the model cards
	@$(BIN)/python .ci/write_reference.py

.PHONY: constraints
constraints: $(VENV)/.dev-stamp ## Write constraints.txt from the versions in the environment
	@$(BIN)/python .ci/write_constraints.py

.PHONY: clean
clean: ## Remove the environment and every cache; keeps OCTAUDIT_HOME
	@rm -rf $(VENV) build dist htmlcov runs .coverage .coverage.* *.egg-info
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## Print this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[.a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Installing: a stamp per set of packages, so that it happens again only when the project file or the pins change.

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "octaudit needs Python 3.11 or 3.12, and none was found: install one of them."; exit 1; }
	@$(PYTHON) .ci/check_platform.py
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run-stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing octaudit into $(VENV): a minute or two, about 2 GB."
	@$(PIP) install --constraint constraints.txt --editable '.[dashboard,worker]'
	@touch $@

$(VENV)/.dev-stamp: $(VENV)/.run-stamp
	@echo "Installing what the tests need."
	@$(PIP) install --constraint constraints.txt --editable '.[dashboard,worker,dev]'
	@touch $@
