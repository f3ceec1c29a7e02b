# Every chore of the project. A fresh machine needs git, make and Python 3.11 or later, nothing else.
PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin

.PHONY: demo test trust lint types bench bench-recurrent bench-scale docs wheel clean

demo: $(VENV)/ready
	$(BIN)/foretell demo

test: $(VENV)/ready
	$(BIN)/python -m pytest -n 2 --dist loadgroup

# The suite's tests/trust with long settings, and the table in docs/trust.md made from what they counted. Some hours; a part of
# it: make trust WHAT=tests/trust/test_killed.py
trust: WHAT ?= tests/trust
trust: $(VENV)/ready
	TRUST=long TRUST_FIGURES=$(CURDIR)/docs/trust.jsonl $(BIN)/python -m pytest $(WHAT) -n 2 --dist loadgroup
	$(BIN)/python tools/make_trust.py

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/ready
	$(BIN)/mypy

# Every speed that we claim, beside its peers, in one run.
bench: $(VENV)/ready $(PEERS)/ready
	$(BIN)/python -m benchmarks

# The recurrent layers beside torch.nn and Keras; TensorFlow and JAX get an environment of their own. About ten minutes.
bench-recurrent: $(VENV)/ready $(PEERS)/ready
	$(BIN)/python -m benchmarks.recurrent

# Beyond one machine and beyond memory: stores, several processes, Ray. About half an hour, 8 GB of disk.
bench-scale: $(VENV)/ready
	$(BIN)/python -m benchmarks.scale

# The pages that are generated: the command line's help and the options.
docs: $(VENV)/ready
	$(BIN)/python tools/make_docs.py

# The same commit gives the same bytes: built with what is pinned, and dated by the commit.
wheel: $(VENV)/ready
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || echo 1580601600) $(BIN)/python -m build --no-isolation

clean:
	rm -rf $(VENV) $(PEERS) dist build

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Foretell needs Python 3.11 or later; this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

$(PEERS)/ready: benchmarks/recurrent/peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@
