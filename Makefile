# Everything a fresh machine needs is Python 3.11 or later, pip, git and make.
PYTHON ?= python3
TASK ?= colorization
REPLICATES ?= 1
BIN := .venv/bin
INSTALLED := .venv/.installed

# The programs of an environment contain its path, so one that was moved or copied is recreated,
# as is one whose Python is gone, or whose installation was interrupted: pip may fail in it.
is_usable = $(shell test ! -e $(1)/.installing && grep -qsF "$(realpath $(1))" $(1)/bin/activate \
	&& $(1)/bin/python -c "" 2> /dev/null && echo yes)
recreated = $(if $(wildcard $(1)),$(if $(call is_usable,$(1)),,recreate))
.PHONY: recreate

# From here until pip is done, the environment has the mark .installing with the process of make.
define begun
@! kill -0 $$(cat $(1)/.installing 2> /dev/null) 2> /dev/null || { \
	echo "Process $$(cat $(1)/.installing) is installing into $(1): wait for it, or remove $(1)"; exit 1; }
@mkdir -p $(1)
@echo $$PPID > $(1)/.installing
$(if $(filter recreate,$^),rm -rf $(1)/*)
$(PYTHON) -m venv $(1)
endef

define installed
touch $(1)/.installed
@rm $(1)/.installing
endef

# Airflow runs in its own environment, on localhost only, without telemetry.
AIRFLOW_INSTALLED := .venv-airflow/.installed
AIRFLOW := AIRFLOW_HOME="$(CURDIR)/.airflow" \
	AIRFLOW__CORE__DAGS_FOLDER="$(CURDIR)/dags" \
	AIRFLOW__CORE__LOAD_EXAMPLES=False \
	AIRFLOW__CORE__PARALLELISM=1 \
	AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False \
	PATH="$(CURDIR)/.venv-airflow/bin:$$PATH"

.PHONY: run plan app nightly test test-slow test-browser test-airflow pytest lint style types imports bench \
	bench-preparation bench-inference \
	bench-scoring bench-training bench-shared-machine ablation viz mlflow \
	send rollback docs site dags airflow lock audit clean

# Trains each model once: the bundled photographs are too few for verdicts, however often
# models are trained. Use REPLICATES=3, the default of kedro run, for your own pairs.
run: $(INSTALLED)
	$(BIN)/kedro run --pipeline=$(TASK) --params training.replicates=$(REPLICATES)

# Lists what make run would make and why, and writes nothing.
plan: $(INSTALLED)
	@$(BIN)/kedro run --pipeline=$(TASK) --params training.replicates=$(REPLICATES) --dry-run

# Serves a page that translates photographs. PORT=7861 selects another port.
app: $(INSTALLED)
	@$(BIN)/kedro app --port=$(or $(PORT),7860)

# Like run, but with a lock and a summary. Cron and systemd call kedro nightly directly:
# make reports every non-zero exit code as 2.
nightly: $(INSTALLED)
	@$(BIN)/kedro nightly --task=$(TASK)

# Checks types and imports while the tests run: both wait for the disk at times.
test: $(INSTALLED) style
	@$(MAKE) --no-print-directory --jobs=3 types imports pytest

pytest: $(INSTALLED)
	$(BIN)/pytest --numprocesses auto --dist worksteal

# Further cases of tests that take long.
test-slow: $(INSTALLED)
	$(BIN)/pytest -m slow --numprocesses auto

# Tests the report and the blind test in Chromium, which must be installed.
test-browser: $(INSTALLED)
	$(BIN)/pytest -m browser tests/browser

# Runs the colorization DAG of the smoke environment in Airflow, twice.
test-airflow: $(INSTALLED) $(AIRFLOW_INSTALLED)
	$(BIN)/pytest -m airflow tests/runs

lint: $(INSTALLED) style
	@$(MAKE) --no-print-directory --jobs=2 --output-sync types imports

style: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

imports: $(INSTALLED)
	$(BIN)/lint-imports

# Runs all benchmarks, into docs/performance.md; takes most of an hour.
# BENCH="--source <folder> --input <sub-folder> --target <sub-folder>" prepares your pairs;
# TRAINING="--models pix2pix --sizes 256" trains fewer models.
bench: bench-preparation bench-inference bench-scoring bench-training bench-shared-machine

bench-preparation: $(INSTALLED)
	$(BIN)/python benchmarks/preparation.py $(BENCH)

bench-inference: $(INSTALLED)
	$(BIN)/python benchmarks/inference.py --write docs/performance.md

bench-scoring: $(INSTALLED)
	$(BIN)/python benchmarks/metrics.py --images 1000 --sizes 256 --write docs/performance.md

bench-training: $(INSTALLED)
	$(BIN)/python benchmarks/training.py --write docs/performance.md $(TRAINING)

bench-shared-machine: $(INSTALLED)
	$(BIN)/python benchmarks/shared_machine.py --write docs/performance.md

# Compares every option of structure and loss with the plain model, on the prepared pairs of
# TASK, into docs/results.md. ABLATION="--epochs 3 --channels 16 --seeds 1" is shorter.
ablation: $(INSTALLED)
	$(BIN)/python benchmarks/ablation.py --pairs data/05_model_input/$(TASK) \
		--write docs/results.md $(ABLATION)

# PORT=4142 selects another port; kedro-viz takes the next free one and prints it.
viz: $(INSTALLED)
	$(BIN)/kedro viz run --no-browser --port=$(or $(PORT),4141)

# PORT=5001 selects another port.
mlflow: $(INSTALLED)
	@echo "MLflow serves http://127.0.0.1:$(or $(PORT),5000)/#/experiments?workflowType=machine_learning"
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/kedro mlflow ui $(if $(PORT),--port=$(PORT))

docs: $(INSTALLED)
	$(BIN)/mkdocs build --strict --quiet

# All tasks' graphs and reports, and the documentation. KEDRO_ENV=smoke uses its results.
site: docs
	rm -rf build
	$(BIN)/kedro viz build --include-previews
	$(BIN)/kedro site --graph build

# Generates the DAGs. KEDRO_ENV=smoke selects the environment.
dags: $(INSTALLED)
	rm -rf dags
	$(BIN)/kedro airflow create --env=$(or $(KEDRO_ENV),local) --target-dir=dags \
		--jinja-file=conf/airflow_dag.py.j2 --pipelines=$$($(BIN)/python -c \
		"from image_translation.pipeline_registry import TASKS; print(','.join(TASKS))")

airflow: dags $(AIRFLOW_INSTALLED)
	$(AIRFLOW) airflow db migrate
	@echo "Airflow serves http://127.0.0.1:8080; the password of admin is in its log"
	$(AIRFLOW) sh -c 'trap "kill \$$(jobs -p)" EXIT; \
		airflow scheduler --skip-serve-logs & airflow dag-processor & \
		airflow api-server --host 127.0.0.1'

$(AIRFLOW_INSTALLED): requirements-airflow.lock $(call recreated,.venv-airflow)
	$(call begun,.venv-airflow)
	.venv-airflow/bin/python $(PIP) $(FROM_LOCK) requirements-airflow.lock
	$(call compiled,.venv-airflow)
	$(call installed,.venv-airflow)

# Uploads results that an unavailable MLflow server missed; trains nothing.
send: $(INSTALLED)
	$(BIN)/kedro send

# Rolls back to a task's previous champion.
rollback: $(INSTALLED)
	$(BIN)/kedro rollback --task=$(TASK)

# Installs only files whose hashes are in the lock files: the CPU build of torch if a configured
# index has it, otherwise PyPI's build, with the CUDA libraries if that build needs them. The lock
# files lack packages that only other systems need, such as appnope on macOS: pip installs those
# without checking a hash.
PIP := -m pip --disable-pip-version-check --quiet
FROM_LOCK := install --require-hashes --no-deps --no-compile --requirement

# On all cores, while pip compiles on one; a few packages contain templates that do not compile.
compiled = $(1)/bin/python -m compileall -q -j 0 $(1)/lib > /dev/null 2>&1 || true

$(INSTALLED): requirements.lock requirements-cpu.lock requirements-cuda.lock pyproject.toml \
	$(call recreated,.venv)
	$(call begun,.venv)
	$(BIN)/python $(PIP) $(FROM_LOCK) requirements-cpu.lock 2> /dev/null || true
	$(BIN)/python $(PIP) $(FROM_LOCK) requirements.lock
	$(BIN)/python -c "import torch" 2> /dev/null || \
		$(BIN)/python $(PIP) $(FROM_LOCK) requirements-cuda.lock
	$(call compiled,.venv)
	$(BIN)/python $(PIP) install --no-deps --no-build-isolation --editable .
	$(BIN)/python $(PIP) check > /dev/null || \
		$(BIN)/python $(PIP) install --editable ".[app,dev,export]"
	$(call installed,.venv)

# Updates all pinned versions, with the hashes of the files for all platforms.
lock: $(INSTALLED)
	$(BIN)/python tools/lock.py

# Looks up the locked packages in a database of vulnerabilities; skipped without a connection.
audit: $(INSTALLED)
	$(BIN)/python tools/audit.py

clean:
	rm -rf .venv .venv-airflow .airflow dags .viz build dist site
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
