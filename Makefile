# make demo   solves a real antenna sweep      (KEEP=1 leaves the manager running)
# make test   runs everything                  (TESTS=tests/unit a part)
# make soak   troubles many jobs and accounts for each  (JOBS=20000 KILLS=10 SEED=1)
# make simulate  crashes whole campaigns in simulated time  (SEEDS=100000 FIRST=0)
# make bench  measures the speed promises      (ONLY=launch one of them)
# make lock   renews the lock files from pyproject.toml

PYTHON ?= $(firstword $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p; done))
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
TESTS ?=
KEEP ?=
ONLY ?=

JOBS ?= 20000
KILLS ?= 10
SEED ?= 1

SEEDS ?= 100000
FIRST ?= 0

.PHONY: demo test soak simulate bench lock clean

demo: .venv/runtime
	@$(BIN)/solveyard demo $(if $(KEEP),--keep)

test: .venv/development
	@$(BIN)/python tools/check.py $(TESTS)

soak: .venv/development
	@$(BIN)/python tools/soak.py --jobs $(JOBS) --kills $(KILLS) --seed $(SEED)

simulate: .venv/development
	@$(BIN)/python tools/simulate.py --seeds $(SEEDS) --first $(FIRST)
	@$(BIN)/python tools/simulate.py --sweep 10 --first $(FIRST)
	@$(BIN)/python tools/simulate.py --planted

bench: .venv/development
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

lock: .venv/development
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
		--no-emit-index-url --no-header --extra nec --extra plot --extra build \
		--output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
		--no-emit-index-url --no-header \
		--extra build --extra dev --extra frame --extra nec --extra plot \
		--output-file requirements-dev.lock pyproject.toml

clean:
	rm -rf .venv demo-results

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "solveyard needs Python 3.11 or newer with venv; none was" \
		"found on PATH (name one: make PYTHON=/path/to/python3.11)"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "$(PYTHON) can't make a virtual environment" \
		"(Debian: apt-get install python3-venv)"; rm -rf .venv; exit 1; }

.venv/runtime: requirements.lock pyproject.toml | .venv/bin/python
	@echo "Installing solveyard into .venv ..."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/development: requirements-dev.lock pyproject.toml | .venv/bin/python
	@echo "Installing solveyard and its test tools into .venv ..."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ .venv/runtime
