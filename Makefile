# make demo    see the three services run          make test    what every change runs; make test-gate and test-long    the rest
# make run     an exchange with the defaults       make check   style, types, import rules, docs
# make venv    everything for development          make docs    the pages and the API reference
# make telephony    scenarios with real telephones, builds the peers first    make telephone-demo    plays one
# make telephony-cti    call control with real telephones: every function, with trouble in its middle; half an hour
# make bench-store    what the durable store costs
# make bench-calls    what call control costs: orders, following calls, taking them up
# make fuzz-frames    a million mutated frames          make fuzz    the harnesses under atheris
# make bench    what everything costs, beside its peers (QUICK=1: a short run)    make bench-page    its results into docs/
# make bench-memory    each kind of message without sockets; BESIDE=PATH    beside another checkout, as for make bench-beside
# make audit-dependencies    known vulnerabilities of what is pinned
# make pins    requirements/ anew: versions and hashes

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Of packages with a hash, and nothing else; --no-build-isolation, since a build would fetch its tools without one.
INSTALL = -m pip install --quiet --disable-pip-version-check
HASHED = $(INSTALL) --require-hashes --requirement
SPHINX := $(BIN)/python -m sphinx -W --keep-going -q

# What Python compiles is kept, whatever the environment says: the tests start many processes.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache

.PHONY: venv demo run check lint types imports docs test test-gate test-long bench bench-calls bench-page bench-memory bench-beside telephony-peers telephony telephony-cti telephone-demo bench-store audit-dependencies pins fuzz fuzz-frames clean FORCE

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

# What a change runs: under four minutes where two cores have nothing else to do. TESTS names less than all.
# Two workers more than these cores, for many a test waits for a process, a time-out, a disk.
WORKERS ?= 4
test: $(VENV)/dev-ready
	$(BIN)/python -m pytest -n $(WORKERS) $(TESTS)

# What the gate runs behind it: environments to install into, hostile peers.
test-gate: $(VENV)/dev-ready
	$(BIN)/python -m pytest -n $(WORKERS) -m "gate and not long"

# Hours of it; LONG="--only kill" runs a part, LONG=--quick a minute of each. The figures go into docs/.
test-long: $(VENV)/dev-ready
	@$(BIN)/python -m tests.long_runs $(LONG)

# BENCH takes more words, such as BENCH="--only answers".
bench: $(VENV)/bench-ready
	@QUICK=$(QUICK) PYTHONPATH=src:. $(BIN)/python -m benchmarks $(BENCH)

# BESIDE is another checkout, such as one made by: git worktree add ../before HEAD~
bench-memory: $(VENV)/run-ready
	@PYTHONPATH=src:. $(BIN)/python -m benchmarks.in_memory $(if $(BESIDE),--beside $(BESIDE)) $(BENCH)

bench-beside: $(VENV)/bench-ready
	@PYTHONPATH=src:. $(BIN)/python -m benchmarks --beside $(BESIDE) $(BENCH)

bench-page: $(VENV)/bench-ready
	@PYTHONPATH=src:. $(BIN)/python -m benchmarks --page

bench-store: $(VENV)/run-ready
	@PYTHONPATH=. $(BIN)/python -m benchmarks.store

bench-calls: $(VENV)/run-ready
	@PYTHONPATH=src:. $(BIN)/python -m benchmarks.call_control $(BENCH)

# Each harness under atheris for so long.
FUZZ_SECONDS ?= 60

fuzz: $(VENV)/dev-ready
	@for harness in binary json_codec session configuration; do \
	    PYTHONPATH=. $(BIN)/python -m fuzz.engine $$harness -max_total_time=$(FUZZ_SECONDS) || exit 1; done

fuzz-frames: $(VENV)/run-ready
	@PYTHONPATH=. $(BIN)/python -m fuzz.frames --frames 1000000 --seed 1

# The exit code is 69 where they can't be had; make itself says 2, whatever it was.
telephony-peers: $(VENV)/dev-ready
	@$(BIN)/python -m tests.telephony.peers

telephony: telephony-peers
	$(BIN)/python -m pytest -n 4 -m telephony tests/telephony

telephony-cti: telephony-peers
	$(BIN)/python -m pytest -n 4 -m telephony_cti tests/telephony

telephone-demo: telephony-peers
	@$(BIN)/python -m tests.telephony.demo

clean:
	rm -rf build dist apidocs docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis _trial_temp*
	rm -f $(VENV)/run-ready $(VENV)/dev-ready $(VENV)/bench-ready

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
	$(BIN)/python $(HASHED) requirements/run.txt
	$(BIN)/python $(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev-ready: requirements/dev.txt $(VENV)/run-ready
	$(BIN)/python $(HASHED) requirements/dev.txt
	@touch $@

$(VENV)/bench-ready: requirements/bench.txt $(VENV)/run-ready
	$(BIN)/python $(HASHED) requirements/bench.txt
	@touch $@

# ---------------------------------------------------------------- the supply chain

# In an environment of their own: what they need is nothing that CTIEX is developed with.
AUDIT := $(VENV)/audit
# Asks the default index alone, whatever is configured on this machine. Versions in the files stay: UPGRADE=--upgrade.
PIN = env -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL -u PIP_FIND_LINKS PIP_CONFIG_FILE=/dev/null \
    CUSTOM_COMPILE_COMMAND="make pins" $(AUDIT)/bin/pip-compile --quiet $(UPGRADE) --no-build-isolation \
    --generate-hashes --allow-unsafe --strip-extras --no-annotate --no-emit-index-url --no-emit-find-links

$(AUDIT)/ready: requirements/audit.txt | $(BIN)/python
	$(BIN)/python -m venv $(AUDIT)
	$(AUDIT)/bin/python $(HASHED) requirements/audit.txt
	@touch $@

# pypi or osv; --strict: what the service doesn't know is a failure, not a skipped line.
AUDIT_SERVICE ?= pypi

audit-dependencies: $(AUDIT)/ready
	$(AUDIT)/bin/pip-audit --strict --vulnerability-service $(AUDIT_SERVICE) --require-hashes --disable-pip \
	    --progress-spinner off $(patsubst %,--requirement requirements/%.txt,run dev bench audit)

pins: $(AUDIT)/ready
	$(PIN) --all-build-deps --extra durable,metrics,tls --output-file requirements/run.txt setup.cfg
	$(PIN) --constraint requirements/run.txt --all-build-deps --extra durable,metrics,tls,testing,dev,docs \
	    --output-file requirements/dev.txt setup.cfg
	$(PIN) --constraint requirements/run.txt --constraint requirements/dev.txt --extra bench \
	    --output-file requirements/bench.txt setup.cfg
	$(PIN) --output-file requirements/audit.txt requirements/audit.in

FORCE:
