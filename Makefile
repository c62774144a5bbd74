# Two commands do everything on a machine that has Python: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_HOME ?= $(CURDIR)/.demo

.PHONY: demo test test-slow lint types contracts units bench clean

## demo: all five recipes, one from another, on the embedded model; then what they learned. After set-up
## under 4 minutes on two cores
demo: $(STAMP)
	@export KITCHEN_HOME="$(DEMO_HOME)"; trap '$(BIN)/kitchen down' EXIT; $(BIN)/kitchen demo

## test: everything that CI checks
test: lint types contracts units

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/pyright --pythonpath $(BIN)/python

contracts: $(STAMP)
	$(BIN)/lint-imports

units: $(STAMP)
	$(BIN)/pytest -n 2

## test-slow: what takes minutes, or needs files of yours: a model folder in KITCHEN_TEST_MODEL, public
## data sets in KITCHEN_TEST_DATA (docs/performance.md names them), a command in KITCHEN_TEST_TINKER that starts a Tinker
## server, given a port and a work folder; what is not given is skipped
test-slow: $(STAMP)
	$(BIN)/pytest -m slow

## bench: the figures of docs/performance.md that need no other trainer and no model files
bench: $(STAMP)
	$(BIN)/python -m benchmarks.store
	$(BIN)/python -m benchmarks.stores
	$(BIN)/python -m benchmarks.load
	$(BIN)/python -m benchmarks.latency
	$(BIN)/python -m benchmarks.telemetry
	$(BIN)/python -m benchmarks.preparing
	$(BIN)/python -m benchmarks.supervised --only tiny,memory,gpu

clean:
	rm -rf $(VENV) $(DEMO_HOME)

$(STAMP): pyproject.toml constraints.txt
	@echo "Setting up $(VENV): torch and what it needs, some minutes the first time"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	touch $(STAMP)
