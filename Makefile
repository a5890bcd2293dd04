# Two commands do everything from a fresh clone: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint bench-draws bench-evaluation reproduce reproductions-table clean

demo: .venv/app
	$(BIN)/reparam train digits

test: .venv/dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench-draws: .venv-bench/ready
	PYTHONPATH=src .venv-bench/bin/python benchmarks/draws.py
	$(PYTHON) benchmarks/table.py

# make bench-evaluation MNIST=FOLDER
bench-evaluation: .venv/app
	$(BIN)/python benchmarks/evaluation.py --mnist $(MNIST)
	$(PYTHON) benchmarks/table.py

# make reproduce ROW=... DATA=FOLDER [SETTING=full] [SEED=1]; without ROW, the rows are listed.
reproduce: .venv/app
	$(BIN)/python -m reproductions $(ROW) $(if $(DATA),--data $(DATA)) $(if $(SETTING),--setting $(SETTING)) \
		$(if $(SEED),--seed $(SEED))

reproductions-table: .venv/app
	$(BIN)/python -m reproductions.table

.venv-bench/ready: benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/app: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[app]'
	touch $@

.venv/dev: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@ .venv/app

clean:
	rm -rf .venv .venv-bench .mypy_cache .ruff_cache .pytest_cache
