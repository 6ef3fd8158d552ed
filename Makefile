# make run      the daemon on the shipped config.toml     make test     every check
# make install  the set-up alone                          make help     everything else
# make quick    lint, types and what needs no process, server or browser: while you edit
# make bench    how fast it is (ARGS=--json, --quick)
# make accidents   how many accidents of typing are told, how often honest growth is (ARGS="--seed 2")
# make hunt     the properties with new random examples, and the cases that are left out of the suite, which runs the same ones each time
# make docs     the pages that are made from the code, and the site of docs/ in build/site
# make picture  README's picture, from what the program says
# make soak     the proofs at length: KILLS=2000 CUTS=18000 PASSES=1440 FRAMES=2000000 EDGES=20000 FAULTS=10000 LOCKED=60 QUOTA=60 TOKENS=200 SERVERS=50 TAKEOVERS=20 WORLDS=20 SEED=1
# make audit    known vulnerabilities in what a deployment and the image install (requirements.lock, deploy/)
# make build    source distribution and wheel in dist/, checked
# make release VERSION=1.2.0    checks, changelog, commit, packages, tag: everything but the push
# make newcomer a clean clone, an empty home: from two commands to the first report, an upgrade and the removal, counted
# make lock     renew the locks: requirements.lock and requirements-dev.lock, from which install and test install, and deploy/*.lock
.DEFAULT_GOAL := help
.PHONY: help install run test quick lint types packages docs picture bench accidents hunt soak audit build release newcomer lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

help:
	@sed -n 's/^# //p' Makefile

# A stamp per set of packages, so that a second `make run` asks the package index nothing.
$(VENV)/.run: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	touch $@

install: $(VENV)/.run

run: $(VENV)/.run
	@exec $(BIN)/smart-sync run --config config.toml

# Three more than there are cores: a third of the time tests wait for a process or a clock.
WORKERS ?= $(shell expr $$(nproc) + 3)

# Tests start hundreds of processes: each would compile the program where nothing may be kept.
test: $(VENV)/.dev lint types packages
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n $(WORKERS) --dist worksteal --durations 20

quick: $(VENV)/.dev lint types
	$(BIN)/pytest -n $(WORKERS) -m "not slow and not at_length"

# Programs of the system that tests use: bubblewrap for the image's start, a browser for the report, PostgreSQL, PgBouncer in front of it, Redis for Celery, nginx in front of the socket,
# sqlite3 for the way back.  Without one, and without the right to install it, those tests are skipped.
SYSTEM_PACKAGES := bubblewrap chromium-headless-shell nginx-light pgbouncer postgresql redis-server sqlite3
packages:
	@test "$$(id -u)" != 0 || ! command -v apt-get > /dev/null || dpkg -s $(SYSTEM_PACKAGES) > /dev/null 2>&1 || \
	  { apt-get update -qq && for name in $(SYSTEM_PACKAGES); do \
	    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $$name > /dev/null; done; } || true

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

docs: $(VENV)/.dev  # renews docs/reference/ from the code, and builds the site into build/site
	$(BIN)/python tests/support/reference_pages.py
	$(BIN)/zensical build --strict

picture: $(VENV)/.dev  # draws README's picture from what the program says
	$(BIN)/python tests/support/edit_picture.py

bench: $(VENV)/.dev
	@PYTHONPATH=tests/support:. $(BIN)/python -m bench $(ARGS)

accidents: $(VENV)/.dev
	@PYTHONPATH=tests/support:. $(BIN)/python -m bench.accidents $(ARGS)

hunt: $(VENV)/.dev
	HYPOTHESIS_PROFILE=hunt $(BIN)/pytest -n $(WORKERS) -m "hypothesis or at_length" -o asyncio_debug=true

KILLS ?= 2000
CUTS ?= 18000
TAKEOVERS ?= 20
PASSES ?= 1440
FRAMES ?= 2000000
EDGES ?= 20000
FAULTS ?= 10000
LOCKED ?= 60
TOKENS ?= 200
QUOTA ?= 60
SERVERS ?= 50
WORLDS ?= 20
SEED ?= 1

soak: $(VENV)/.dev  # the last lines: "promise: tried N, broken 0" for each
	HYPOTHESIS_PROFILE=hunt SOAK_KILLS=$(KILLS) SOAK_CUTS=$(CUTS) SOAK_PASSES=$(PASSES) SOAK_FUZZ_FRAMES=$(FRAMES) SOAK_EDGES=$(EDGES) \
	SOAK_SCHEDULES=$(FAULTS) SOAK_LOCKED=$(LOCKED) SOAK_TOKENS=$(TOKENS) SOAK_QUOTA=$(QUOTA) SOAK_SERVERS=$(SERVERS) SOAK_TAKEOVERS=$(TAKEOVERS) SOAK_SEED=$(SEED) SOAK_FUZZ_SEED=$(SEED) SOAK_SEEDS=$(WORLDS) SOAK_DAYS=60 SOAK_REPLICA=1 \
	$(BIN)/python tests/support/soak.py

# Apart from the packages under test.
$(VENV)/tools:
	$(PYTHON) -m venv $@
	$@/bin/pip install --quiet pip-audit uv build twine

audit: $(VENV)/.dev $(VENV)/tools
	$(BIN)/pytest -q tests/repository/test_deployment.py
	$(BIN)/python tests/support/audit.py $(VENV)/tools/bin/pip-audit requirements.lock
	$(BIN)/python tests/support/audit.py $(VENV)/tools/bin/pip-audit deploy/requirements.lock

COMPILE = $(VENV)/tools/bin/uv pip compile --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url --quiet
IMAGE_EXTRAS := sqlite postgres fastapi celery notify
lock: $(VENV)/tools
	$(COMPILE) --upgrade --extra sqlite --output-file requirements.lock pyproject.toml
	$(COMPILE) --upgrade --all-extras --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	$(COMPILE) $(IMAGE_EXTRAS:%=--extra %) --constraint requirements-dev.lock --output-file deploy/requirements.lock pyproject.toml
	echo setuptools | $(COMPILE) --constraint requirements-dev.lock --output-file deploy/build.lock -
	sed -i '1i # Every package of a deployment, by version and hash: pip install --require-hashes -r requirements.lock' requirements.lock
	sed -i '1i # Every package of the tests, by version and hash; those of a deployment are the same as in requirements.lock' requirements-dev.lock
	sed -i '1i # Every package of the image, with the extras $(IMAGE_EXTRAS), as in requirements-dev.lock' deploy/requirements.lock
	sed -i '1i # What builds the package for the image, as in requirements-dev.lock' deploy/build.lock

build: $(VENV)/tools
	rm -rf dist build
	$(VENV)/tools/bin/python -m build --quiet
	$(VENV)/tools/bin/twine check --strict dist/*

# What is committed is looked at, before the checks and after them.
release: $(VENV)/.dev $(VENV)/tools
	@test -n "$(VERSION)" || { echo "release: say which: make release VERSION=1.2.0" >&2; exit 2; }
	$(MAKE) test
	$(BIN)/python tests/support/release.py $(VERSION)

newcomer:
	@$(PYTHON) tests/support/newcomer.py $(ARGS)

clean:
	rm -rf $(VENV) var build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
