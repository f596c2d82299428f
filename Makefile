# make demo    see the three services run          make test    every test
# make run     an exchange with the defaults       make check   style, types, import rules, docs
# make venv    everything for development          make docs    the pages and the API reference
# make bench-store    what the durable store costs

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SPHINX := $(BIN)/python -m sphinx -W --keep-going -q

.PHONY: venv demo run check lint types imports docs test bench-store clean FORCE

venv: $(VENV)/dev-ready

demo: $(VENV)/run-ready
	@$(BIN)/ctiex demo

run: $(VENV)/run-ready
	@$(BIN)/twistd -n ctiex

check: lint types imports docs

lint: $(VENV)/dev-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev-ready
	$(BIN)/mypy

imports: $(VENV)/dev-ready
	$(BIN)/python -m pytest -q tests/test_imports.py

docs: $(VENV)/dev-ready
	$(SPHINX) -b html docs docs/_build/html
	$(BIN)/pydoctor -q

test: $(VENV)/dev-ready
	$(BIN)/python -m pytest -n 2

bench-store: $(VENV)/run-ready
	@PYTHONPATH=. $(BIN)/python -m benchmarks.store

clean:
	rm -rf build dist apidocs docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis _trial_temp*
	rm -f $(VENV)/run-ready $(VENV)/dev-ready

# ---------------------------------------------------------------- the virtual environment

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "CTIEX needs Python 3.11 or newer; name one: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "$(PYTHON) can't make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }

# An editable install in strict mode knows only the files that were there: a new one needs another install.
$(VENV)/files: FORCE | $(BIN)/python
	@find src twisted -name '*.py' | LC_ALL=C sort > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(VENV)/run-ready: requirements/run.txt setup.cfg pyproject.toml $(VENV)/files | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/dev-ready: requirements/dev.txt $(VENV)/run-ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements/dev.txt
	@touch $@

FORCE:
