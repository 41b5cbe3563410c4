# Luodi: `make demo` builds, measures, serves and asks a release; `make test` runs the tests. Both set everything up.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo serve test test-slow check format browser servers bench-road bench-audit bench-cache bench-gateway bench-guard bench-evidence clean

help:
	@echo "make demo       set up, build a release of the support template on real documents, serve it, ask it"
	@echo "make serve      the same, and leave it running"
	@echo "make test       set up, check the code, run the tests"
	@echo "make test-slow  the tests that take minutes: real models, a browser, PostgreSQL, Ray, fifty kills"
	@echo "make bench-road measure the road's own figures into benchmarks/results"
	@echo "make bench-audit measure the audit log: appends, verification, proofs"
	@echo "make bench-cache how often a semantic hit is wrong"
	@echo "make bench-gateway measure the gateway beside a bare proxy and LiteLLM"
	@echo "make bench-guard recall of the guard, beside Presidio; its speed, its streams"
	@echo "make bench-knowledge measure retrieval, citations, calibration and conflicts on real documents"
	@echo "make bench-evidence how far intervals, gates and judges can be trusted, beside other tools' rules"
	@echo "make clean      remove the environment and the demo"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "torch==2.13.0"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[train,serve,knowledge,documents,data,postgres,redis,semantic,privacy,moderation,rules,evaluate,dev]"
	@touch $(READY)

demo: setup
	@scripts/demo

serve: setup
	@scripts/demo --leave-running

test: setup browser check
	$(BIN)/python -m pytest -q

test-slow: setup browser servers
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt ray --editable ".[ocr]"
	@scripts/clients
	$(BIN)/python -m pytest -q -m slow

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/house.py

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The browser and the database server of the tests come from the distribution's own packages. Where they can't be
# installed, the tests that need them are skipped and say so.
browser:
	@command -v chromium >/dev/null || $(call install,chromium fonts-noto-cjk)

servers:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || $(call install,postgresql)
	@command -v redis-server >/dev/null || $(call install,redis-server)
	@command -v docker-registry >/dev/null || $(call install,docker-registry)

define install
( [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo "installing $(1)" && apt-get update -qq && \
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) >/dev/null ) || \
  echo "not installed: $(1); the tests that need it will be skipped (as root: apt-get install $(1))"
endef

bench-road: setup
	$(BIN)/python benchmarks/road.py

bench-audit: setup
	$(BIN)/python benchmarks/audit.py

bench-cache: setup
	$(BIN)/python -m benchmarks.cache

bench-gateway: setup
	$(BIN)/python -m benchmarks.gateway

bench-guard: setup
	$(BIN)/python -m benchmarks.guard

bench-knowledge: setup
	$(BIN)/python -m benchmarks.knowledge

bench-evidence: setup
	$(BIN)/python -m benchmarks.evidence

clean:
	rm -rf $(VENV) demo
