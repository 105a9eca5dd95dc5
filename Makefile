# Needs Python 3.11 or newer and make; everything else is installed into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
DEMO_DIR ?= hatsformat-demo
PYTEST_ARGS ?=

PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
TEST_EXTRAS := test,interop,s3,http,dask,plot,pandas,polars,duckdb
# The other HATS tools need newer versions of much.
LOWEST_EXTRAS := test,s3,http,dask,plot,pandas,polars,duckdb
LOWEST := .venv-lowest
# The oldest and the newest one that mypy checks for.
LINT_PYTHONS := 3.11 3.14

.DEFAULT_GOAL := help
.PHONY: help demo test test-lowest test-newest lint format docs dist bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "hatsformat needs Python 3.11 or newer; try: make PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

# One stamp a set of extras: a second call installs nothing, an edited pyproject.toml installs again.
$(STAMPS)/demo: $(STAMPS)/venv pyproject.toml
	$(PIP) -e '.[plot]'
	@touch $@

$(STAMPS)/test: $(STAMPS)/venv pyproject.toml
	$(PIP) -e '.[$(TEST_EXTRAS)]'
	@touch $@ $(STAMPS)/demo

$(STAMPS)/lint: $(STAMPS)/venv pyproject.toml
	$(PIP) -e '.[lint]'
	@touch $@

$(STAMPS)/docs: $(STAMPS)/venv pyproject.toml
	$(PIP) -e '.[docs]'
	@touch $@

demo: $(STAMPS)/demo ## a mock sky: import, validate, query and plot it
	$(BIN)/hatsformat demo $(DEMO_DIR)

test: $(STAMPS)/test ## every test, the documents' examples among them
	@$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

$(LOWEST)/.stamp: pyproject.toml
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip --disable-pip-version-check --quiet install uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST) --resolution lowest-direct \
		--only-binary :all: --no-binary hatsformat -e '.[$(LOWEST_EXTRAS)]'
	@touch $@

test-lowest: $(LOWEST)/.stamp ## every test, with the oldest dependencies that pyproject.toml allows
	@$(LOWEST)/bin/python -m pytest -n 2 $(PYTEST_ARGS)

test-newest: $(STAMPS)/test ## the tests against the newest releases of the other HATS tools
	$(PIP) --upgrade hats hats-import lsdb
	@rm $(STAMPS)/test
	@$(BIN)/python -m pytest -n 2 -m interop $(PYTEST_ARGS)

lint: $(STAMPS)/lint ## ruff (rules and format) and mypy --strict, for Linux and macOS, oldest and newest Python
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@set -e; for platform in linux darwin; do for python in $(LINT_PYTHONS); do \
		echo "mypy for $$platform, Python $$python"; \
		$(BIN)/mypy --platform $$platform --python-version $$python --cache-dir .mypy_cache/$$platform-$$python; \
	done; done

format: $(STAMPS)/lint ## let ruff fix and format the tree
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMPS)/docs ## the pages, in docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html
	@echo "docs/_build/html/index.html"

dist: $(STAMPS)/venv ## the sdist and the wheel, built and checked, in dist
	$(PIP) build twine
	rm -rf dist
	$(BIN)/python -m build --quiet
	$(BIN)/python -m twine check --strict dist/*

bench: $(STAMPS)/test ## the benchmarks, with the other HATS tools beside
	$(BIN)/python -m benchmarks

clean: ## remove what the targets above made
	rm -rf $(VENV) $(LOWEST) build dist docs/_build .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
