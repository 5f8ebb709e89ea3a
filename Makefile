# Everything a fresh machine needs is Python 3.11 or later, pip, git and make.
PYTHON ?= python3
TASK ?= colorization
REPLICATES ?= 1
BIN := .venv/bin
INSTALLED := .venv/.installed

# Airflow has an environment of its own, answers on this machine only, and tells nobody.
AIRFLOW_INSTALLED := .venv-airflow/.installed
AIRFLOW := AIRFLOW_HOME="$(CURDIR)/.airflow" \
	AIRFLOW__CORE__DAGS_FOLDER="$(CURDIR)/dags" \
	AIRFLOW__CORE__LOAD_EXAMPLES=False \
	AIRFLOW__CORE__PARALLELISM=1 \
	AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False \
	PATH="$(CURDIR)/.venv-airflow/bin:$$PATH"

.PHONY: run app nightly test test-browser test-airflow lint bench bench-preparation bench-inference \
	bench-scoring bench-training ablation viz mlflow \
	send rollback docs site dags airflow lock clean

# One training of each model: the photographs that come with it are too few for verdicts,
# however often models are trained. REPLICATES=3 for your own pairs, as kedro run does.
run: $(INSTALLED)
	$(BIN)/kedro run --pipeline=$(TASK) --params training.replicates=$(REPLICATES)

# A page on which photographs are translated. PORT=7861 takes another port.
app: $(INSTALLED)
	@$(BIN)/kedro app --port=$(or $(PORT),7860)

# As run, but never two at once, and with a summary. Cron and systemd need its exit code,
# of which make makes 2: they call kedro nightly themselves.
nightly: $(INSTALLED)
	@$(BIN)/kedro nightly --task=$(TASK)

test: $(INSTALLED) lint
	$(BIN)/pytest --numprocesses auto --dist worksteal

# Uses the report and the blind test in Chromium, which has to be on this machine.
test-browser: $(INSTALLED)
	$(BIN)/pytest -m browser tests/browser

# Runs the colorization DAG of the smoke environment in Airflow, twice.
test-airflow: $(INSTALLED) $(AIRFLOW_INSTALLED)
	$(BIN)/pytest -m airflow tests/scheduling

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Everything that has to be fast, into docs/performance.md; takes most of an hour.
# BENCH="--source <folder> --input <sub-folder> --target <sub-folder>" prepares your pairs;
# TRAINING="--models pix2pix --sizes 256" trains less.
bench: bench-preparation bench-inference bench-scoring bench-training

bench-preparation: $(INSTALLED)
	$(BIN)/python benchmarks/preparation.py $(BENCH)

bench-inference: $(INSTALLED)
	$(BIN)/python benchmarks/inference.py --write docs/performance.md

bench-scoring: $(INSTALLED)
	$(BIN)/python benchmarks/metrics.py --images 1000 --sizes 256 --write docs/performance.md

bench-training: $(INSTALLED)
	$(BIN)/python benchmarks/training.py --write docs/performance.md $(TRAINING)

# Every option of structure and loss alone against the plain model, on the prepared pairs of
# TASK; into docs/results.md. ABLATION="--epochs 3 --channels 16 --seeds 1" makes it short.
ablation: $(INSTALLED)
	$(BIN)/python benchmarks/ablation.py --pairs data/05_model_input/$(TASK) \
		--write docs/results.md $(ABLATION)

viz: $(INSTALLED)
	@echo "kedro-viz serves http://127.0.0.1:4141"
	$(BIN)/kedro viz run --no-browser

mlflow: $(INSTALLED)
	@echo "MLflow serves http://127.0.0.1:5000: choose Model training at its top left, once"
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/kedro mlflow ui

docs: $(INSTALLED)
	$(BIN)/mkdocs build --strict --quiet

# All tasks' graphs and reports, and the documentation. KEDRO_ENV=smoke takes its results.
site: docs
	rm -rf build
	$(BIN)/kedro viz build --include-previews
	$(BIN)/kedro site --graph build

# KEDRO_ENV=smoke makes the DAGs of that environment.
dags: $(INSTALLED)
	rm -rf dags
	$(BIN)/kedro airflow create --env=$(or $(KEDRO_ENV),local) --target-dir=dags \
		--jinja-file=conf/airflow_dag.py.j2 --pipelines=$$($(BIN)/python -c \
		"from image_translation.pipeline_registry import TASKS; print(','.join(TASKS))")

airflow: dags $(AIRFLOW_INSTALLED)
	$(AIRFLOW) airflow db migrate
	@echo "Airflow serves http://127.0.0.1:8080; its log says the password of admin"
	$(AIRFLOW) sh -c 'trap "kill \$$(jobs -p)" EXIT; \
		airflow scheduler --skip-serve-logs & airflow dag-processor & \
		airflow api-server --host 127.0.0.1'

$(AIRFLOW_INSTALLED): requirements-airflow.lock
	$(PYTHON) -m venv .venv-airflow
	.venv-airflow/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-airflow.lock
	touch $(AIRFLOW_INSTALLED)

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

PIN := --quiet --strip-extras --no-header --no-emit-index-url --no-emit-find-links \
	--no-emit-trusted-host --allow-unsafe

# Pins every dependency again, at the newest versions that pyproject.toml allows.
lock: $(INSTALLED)
	$(BIN)/pip-compile $(PIN) --extra app --extra dev --extra export --output-file requirements.lock pyproject.toml
	$(BIN)/pip-compile $(PIN) --output-file requirements-airflow.lock requirements-airflow.in
	sed -i 's/^\(torch==[0-9.]*\)+.*/\1/' requirements.lock   # any build of torch will do

clean:
	rm -rf .venv .venv-airflow .airflow dags .viz build dist site
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
