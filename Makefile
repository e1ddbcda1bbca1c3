# The two commands that matter are `make demo` and `make test`; CONTRIBUTING.md explains the others.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DIST   := dist
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test test-wheel lint types unit peers bench soak measured-bench measured-soak lock schema dist dashboards manifests clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	$(BIN)/cfdi-stamps-exporter demo

test: lint types unit

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: $(VENV)/.installed-dev
	$(BIN)/mypy

# One process of tests for each processor; those that share an expensive fixture stay in one (xdist_group).
unit: $(VENV)/.installed-dev peers
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadgroup

# Independent programs that the tests run against: Debian packages, installed where that is possible.
peers:
	@scripts/install-peers.sh

# The exporter beside its peers, about a quarter of an hour: writes docs/performance.md. ONLY=poll measures that mark alone.
# And its memory under polls and scrapes, printed each minute; MINUTES=2 shortens that. Both in an environment as
# users have it: structlog imports one of the development tools where that is there.
bench:
	@scripts/install-peers.sh bench
	@$(MAKE) --no-print-directory VENV=.venv-bench measured-bench

soak:
	@$(MAKE) --no-print-directory VENV=.venv-bench measured-soak

measured-bench: $(VENV)/.installed
	$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

measured-soak: $(VENV)/.installed
	$(BIN)/python -m bench.soak $(if $(MINUTES),--minutes $(MINUTES))

lock: $(VENV)/.installed-dev
	scripts/lock.sh $(BIN)/uv

schema: $(VENV)/.installed
	$(BIN)/python -m exporter.config.schema > config.schema.json
	$(BIN)/python scripts/configuration-tables.py docs/configuration.md

dashboards: $(VENV)/.installed-dev
	$(BIN)/python -m dashboards

manifests:
	$(PYTHON) scripts/prometheus-rule.py > deploy/kubernetes/monitoring/prometheusrule.yaml

# Equal to the byte from one commit. Wants no network: the locked build backend is there already.
dist: $(VENV)/.installed-dev
	rm -rf $(DIST)
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} \
	    $(BIN)/uv build --quiet --offline --no-build-isolation --python $(BIN)/python --out-dir $(DIST)

# All tests against what is released, in an environment of its own.
test-wheel: dist peers
	scripts/test-wheel.sh $(PYTHON) $(DIST)

clean:
	rm -rf $(VENV) .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build

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
