# make demo   the pretend world, no keys and no network      make test   everything that must hold
# make check  format, lint, types, import contracts          make bench  the measurements
.PHONY: demo test check format bench lock clean
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links --no-annotate --quiet

help:
	@sed -n '1,2s/^# //p' Makefile

demo: .venv/.run
	@$(BIN)/reconciled demo $(ARGS)

test: .venv/.test
	$(BIN)/pytest $(ARGS)

check: .venv/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -q -n 0 tests/test_tidy.py tests/test_imports.py tests/test_docs.py

format: .venv/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.test
	$(BIN)/python -m tests.bench $(ARGS)

# Needs uv; everything else needs only python and make.
lock:
	$(COMPILE) pyproject.toml requirements/build.in -o requirements/run.txt
	$(COMPILE) -c requirements/run.txt pyproject.toml requirements/build.in requirements/test.in -o requirements/test.txt

clean:
	rm -rf .venv

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "reconciled needs Python 3.11 or newer as '$(PYTHON)'; name another with make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@touch $@

.venv/.run: .venv/.python pyproject.toml requirements/run.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.test: .venv/.run requirements/test.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/test.txt
	@touch $@
