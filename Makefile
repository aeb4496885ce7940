# lab · report · test · lint · sample · bench: each does all the set-up it needs
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
OUT    ?= reports/rendered
JOBS   ?= 2
.DEFAULT_GOAL := help

.PHONY: help setup report lab test lint sample bench docs clean

help:  ## say what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/ ·/'

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "python3 cannot make a virtual environment: on Debian, 'apt-get install python3-venv' first"; \
	    rm -rf $(VENV); exit 1; }
	@echo "Setting up the environment in $(VENV) (once, one to two minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

setup: $(READY)  ## make the environment in .venv

data/sample/book.yml: $(READY) kamlib/book/sample.py
	@$(BIN)/kam sample --out data/sample

sample: $(READY)  ## write the sample company to data/sample
	$(BIN)/kam sample --out data/sample

report: data/sample/book.yml  ## render the sample book for 2026-Q2 and 2026-Q3
	@$(BIN)/kam render quarterly --book data/sample --period 2026-Q2 --jobs $(JOBS) --out $(OUT)
	@$(BIN)/kam render quarterly --book data/sample --period 2026-Q3 --jobs $(JOBS) --out $(OUT)

lab: data/sample/book.yml  ## open JupyterLab on notebooks/
	$(BIN)/kam lab

test: $(READY)  ## run every test
	@# One thread a process: the tests run side by side, and threads that wait for each other take twice the time.
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

lint: $(READY)  ## check the code with ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(READY)  ## measure, in tables
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs: $(READY)  ## write the generated pages anew
	$(BIN)/python -m kamlib.book.dictionary
	$(BIN)/python -m kamlib.reports.practices

clean:  ## remove what was built, keep the environment
	rm -rf reports/rendered data/sample .pytest_cache .ruff_cache
