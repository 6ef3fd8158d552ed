# make run      the daemon on the shipped config.toml     make test     every check
# make install  the set-up alone                          make help     everything else
# make bench    how fast it is (ARGS=--json, --quick)
.DEFAULT_GOAL := help
.PHONY: help install run test lint types browser docs bench clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

help:
	@sed -n 's/^# //p' Makefile

# A stamp per set of packages, so that a second `make run` asks the package index nothing.
$(VENV)/.run: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.run
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

install: $(VENV)/.run

run: $(VENV)/.run
	@exec $(BIN)/smart-sync run --config config.toml

test: $(VENV)/.dev lint types browser
	$(BIN)/pytest -n auto --dist worksteal

# The report is tried in a real browser.  Without one, and without the right to install it, those tests are skipped.
browser:
	@command -v chromium-headless-shell chromium google-chrome > /dev/null || test "$$(id -u)" != 0 || \
	  { apt-get update -qq && apt-get install -qq --no-install-recommends chromium-headless-shell > /dev/null; } || true

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

docs: $(VENV)/.run  # rewrites README's table of events from daemon/smart_sync/events.py
	$(BIN)/python tests/readme.py

bench: $(VENV)/.dev
	@PYTHONPATH=tests:. $(BIN)/python -m bench $(ARGS)

clean:
	rm -rf $(VENV) var build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
