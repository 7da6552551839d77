# make demo   the pretend world, no keys and no network      make test   everything that must hold
# make check  format, lint, types, import contracts          make bench  the measurements
# make nightly   what takes hours: large worlds, and a thousand histories on each database
.PHONY: demo test check format bench nightly grafana pictures lock clean
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links --no-annotate --quiet
DOWNLOAD := apt-get -qq -o APT::Sandbox::User=root download prometheus prometheus-alertmanager
FETCH := apt-get -qq --yes -o APT::Sandbox::User=root -o Debug::NoLocking=true -o Dir::Cache::archives=$(CURDIR)/.venv/tools/debs \
	--no-install-recommends --download-only install chromium pngquant

help:
	@sed -n '1,3s/^# //p' Makefile

demo: .venv/.run
	@$(BIN)/reconciled demo $(ARGS)

test: .venv/.test .venv/.tools
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
	@$(BIN)/python -m tests.bench $(ARGS)

nightly: .venv/.test
	$(BIN)/python -m tests.loop.planted $(ARGS)
	HISTORIES=1000 $(BIN)/pytest -q tests/loop/test_convergence.py tests/act/test_histories.py tests/act/test_crashes.py

# Writes the dashboards and the alerts from grafana/generate.
grafana: .venv/.test
	$(BIN)/python -m grafana.generate

# Draws the dashboards for grafana/README.md, in six minutes. Needs Node, and the registry of its packages.
pictures: .venv/.test .venv/.tools .venv/.browser
	@command -v npm >/dev/null || { echo "the pictures need Node and npm; on Debian: apt-get install npm" >&2; exit 1; }
	@$(BIN)/python -m tests.grafana.pictures

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

# Prometheus and Alertmanager, which the tests start: what is installed, else Debian's packages, unpacked here. Debian's
# Alertmanager finds its template in one place only, which a mount of its own shows it; where there is no such mount,
# the package is installed.
.venv/.tools: .venv/.python
	@command -v prometheus >/dev/null && command -v promtool >/dev/null && command -v prometheus-alertmanager >/dev/null || { \
		mkdir -p .venv/tools && cd .venv/tools && \
		{ $(DOWNLOAD) || { apt-get -qq update && $(DOWNLOAD); }; } && \
		for package in *.deb; do dpkg -x $$package . || exit 1; done && rm *.deb && \
		{ unshare --map-root-user --mount true 2>/dev/null || apt-get -qq install -y --no-install-recommends prometheus-alertmanager; }; } || \
		{ echo "the tests need prometheus and prometheus-alertmanager; on Debian: apt-get install prometheus prometheus-alertmanager" >&2; exit 1; }
	@touch $@

# Chromium, and what makes its pictures small: what is installed, else Debian's packages with all that they need and that
# is not here, unpacked.
.venv/.browser: .venv/.python
	@command -v chromium >/dev/null && command -v pngquant >/dev/null || { \
		mkdir -p .venv/tools/debs/partial && cd .venv/tools && { $(FETCH) || { apt-get -qq update && $(FETCH); }; } && \
		for package in debs/*.deb; do dpkg -x $$package . || exit 1; done && rm -r debs; } || \
		{ echo "the pictures need chromium and pngquant; on Debian: apt-get install chromium pngquant" >&2; exit 1; }
	@touch $@

.venv/.run: .venv/.python pyproject.toml requirements/run.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.test: .venv/.run requirements/test.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/test.txt
	@touch $@
