# make run    set everything up and run the main job on the embedded data set
# make test   set everything up and run the tests
# make check  style, types and import rules
# make bench  the benchmarks against other frameworks, each in an environment of its own
PYTHON ?= python3
BIN := .venv/bin
# The folder ./datasets must never stand in for another package of that name.
export PYTHONSAFEPATH := 1

.PHONY: run test check bench clean

run: .venv/ready
	$(BIN)/spikelab compare --config benchmarks/roads.toml

test: .venv/ready
	OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/ready
	$(BIN)/spikelab bench train --install true --json benchmarks/results/training.json

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist *.egg-info
