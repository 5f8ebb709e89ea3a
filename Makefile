# Everything a fresh machine needs is Python 3.11 or later, pip, git and make.
PYTHON ?= python3
TASK ?= colorization
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: run test test-browser lint bench bench-training viz mlflow send rollback lock clean

run: $(INSTALLED)
	$(BIN)/kedro run --pipeline=$(TASK)

test: $(INSTALLED) lint
	$(BIN)/pytest

# Uses the report and the blind test in Chromium, which has to be on this machine.
test-browser: $(INSTALLED)
	$(BIN)/pytest -m browser tests/browser

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# BENCH="--source <folder> --input <sub-folder> --target <sub-folder>" takes your pairs.
bench: $(INSTALLED)
	$(BIN)/python benchmarks/preparation.py $(BENCH)

# Training, translation and scoring; writes docs/performance.md. Takes half an hour.
bench-training: $(INSTALLED)
	$(BIN)/python benchmarks/training.py --write docs/performance.md

viz: $(INSTALLED)
	@echo "kedro-viz serves http://127.0.0.1:4141"
	$(BIN)/kedro viz run --no-browser

mlflow: $(INSTALLED)
	@echo "MLflow serves http://127.0.0.1:5000"
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/kedro mlflow ui

# What a server that was not there has missed; trains nothing.
send: $(INSTALLED)
	$(BIN)/kedro send

# Puts the model of a task that was in use before into use again.
rollback: $(INSTALLED)
	$(BIN)/kedro rollback --task=$(TASK)

$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $(INSTALLED)

# Pins every dependency again, at the newest versions that pyproject.toml allows.
lock: $(INSTALLED)
	$(BIN)/pip-compile --quiet --strip-extras --no-header --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host --allow-unsafe --extra dev \
		--output-file requirements.lock pyproject.toml
	sed -i 's/^\(torch==[0-9.]*\)+.*/\1/' requirements.lock   # any build of torch will do

clean:
	rm -rf .venv .viz build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
