# make run    set everything up and run the main job on the embedded data set
# make test   set everything up and run the tests
# make check  style, types and import rules
# make bench  the benchmarks against other programs, each in an environment of its own; the last two need a compiler
#             (GeNN, Brian2) and Python 3.10 (Lava), and may fail for want of them
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
	$(BIN)/spikelab bench products --json benchmarks/results/sparse_products.json
	$(BIN)/spikelab bench events --install true --json benchmarks/results/events.json
	-$(BIN)/spikelab bench sim --install true --json benchmarks/results/simulation_speed.json
	-$(BIN)/spikelab bench hw --install true --json benchmarks/results/integer_speed.json

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist *.egg-info
