# Everything runs in an environment of its own, .venv, which is made when it is missing and
# brought up to date when the requirements change.

PYTHON ?= python3.11
# More arguments for pytest: make test PYTEST_ARGS="tests/losses -m ''"
PYTEST_ARGS ?=
# More flags for the demo: make demo DEMO_ARGS=--seeds=3
DEMO_ARGS ?=

BIN := .venv/bin
METADATA := setup.cfg pyproject.toml

export TF_CPP_MIN_LOG_LEVEL ?= 3
export PYTHONUNBUFFERED := 1

.PHONY: help demo test docs lint format clean

help:
	@echo "make demo    train, mark, steal and verify on a small real data set; writes demo/"
	@echo "make test    run the tests"
	@echo "make docs    build the documentation's pages into site/"
	@echo "make lint    check the style"
	@echo "make format  mend the style"
	@echo "make clean   remove .venv, demo/, site/ and what the tools leave behind"

demo: .venv/.demo-installed
	@$(BIN)/python -m experiments.digits --output=demo $(DEMO_ARGS)

# One thread a process: the tests run in as many processes as there are cores.
test: .venv/.test-installed
	@TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1 \
	    $(BIN)/python -m pytest -q -n auto --maxprocesses=4 --dist=loadfile $(PYTEST_ARGS)

# Fails on any warning. (The notice that is switched off is about MkDocs' own future.)
docs: .venv/.docs-installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q --strict \
	    && echo "Documentation: site/index.html"

lint: .venv/.test-installed
	@$(BIN)/ruff check -q . && $(BIN)/ruff format -q --check . && echo "Style: nothing to mend"

format: .venv/.test-installed
	@$(BIN)/ruff check -q --fix --exit-zero . && $(BIN)/ruff format -q .

.venv/.%-installed: $(METADATA)
	@sh build_defs/venv.sh "$(PYTHON)" .venv $*
	@touch $@

clean:
	@rm -rf .venv .bazel demo site build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Clean"
