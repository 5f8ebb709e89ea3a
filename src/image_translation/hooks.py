"""Where MLflow learns what a Kedro run does."""

import os
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from image_translation.logged_datasets import (
    is_logged,
    log_dataset,
    log_dataset_later,
    models_folder,
)
from image_translation.pipeline_registry import MODELS, OF_ONE_TASK, TASKS
from image_translation.schema import flatten
from image_translation.tracking.store import require_store
from image_translation.training.settings import ModelSettings

if TYPE_CHECKING:
    from image_translation.tracking.observer import MlflowObserver


class TrackingHooks:
    """One experiment a task, one parent run a pipeline, one child run a training.

    kedro-mlflow starts and ends the parent run; these hooks come before it where the
    store and the experiment are chosen. What the store misses is kept on disk and sent
    when a pipeline of the task runs again, or by ``kedro send``.

    Where ``MLFLOW_RUN_ID`` names the parent run, this process does a part of what
    belongs to it, and leaves it running.
    """

    def __init__(self) -> None:
        self._context: Any = None
        self._catalog: Any = None
        self._task = TASKS[0]
        self._parent_run_id: Any = None
        self._joined_run_id: str | None = None
        self._observer: MlflowObserver | None = None

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Anchor the store to the project and make sure that it is there."""
        from image_translation.tracking.store import anchor_store, check_store

        config = anchor_store(context.config_loader["mlflow"], context.project_path)
        context.config_loader["mlflow"] = config
        check_store(config["server"]["mlflow_tracking_uri"] or "")
        self._context = context
        self._joined_run_id = os.environ.get("MLFLOW_RUN_ID")

    @hook_impl(tryfirst=True, specname="before_pipeline_run")
    def choose_experiment(self, run_params: dict[str, Any]) -> None:
        """Have kedro-mlflow start its run in the experiment of the task."""
        names = run_params.get("pipeline_names") or [run_params.get("pipeline_name")]
        names = [*names, *(run_params.get("namespaces") or ())]
        name = next((name for name in names if name in TASKS), TASKS[0])
        experiment_id = set_experiment(self._context, name)
        self._task = name
        run = self._context.mlflow.tracking.run
        run.name = _run_name(run_params, name)
        if self._joined_run_id is not None:
            from image_translation.tracking.parents import check_parent

            check_parent(self._joined_run_id, experiment_id)
            run.id = self._joined_run_id

    @hook_impl(trylast=True, specname="before_pipeline_run")
    def remember_parent_run(self, catalog: CatalogProtocol) -> None:
        """Keep the id of the run that kedro-mlflow started, and describe the run."""
        from image_translation.reporting.environment import read_commit
        from image_translation.tracking.parents import current_parent
        from image_translation.tracking.runs import describe_parent
        from image_translation.tracking.store import connection

        self._catalog = catalog
        connection.renew()
        self._parent_run_id = current_parent()
        if self._parent_run_id is None:
            return
        parameters = {self._task: dict(catalog.load(f"params:{self._task}"))}
        del parameters[self._task]["tuning"]  # a database's address may hold a password
        tags = {
            "task": self._task,
            "environment": self._context.env or "local",
            "code_version": read_commit(),
        }
        describe_parent(self._parent_run_id, flatten(parameters), tags)
        _send_backlog(catalog, self._task, self._joined_run_id)

    @hook_impl
    def before_node_run(
        self, node: Node, inputs: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Let MLflow watch a training, or the trials of a tuning."""
        if self._parent_run_id is None:
            return None
        if "tuning" in node.tags:
            return self._watch_trials(_namespace(node), inputs)
        if "training" not in node.tags:
            return None
        task, model = _namespace(node).split(".")
        settings = ModelSettings.model_validate(inputs[f"params:{task}.{model}"])
        if not settings.is_trainable:
            return None
        from image_translation.tracking.observer import MlflowObserver

        self._observer = MlflowObserver(*self._observed(task, model, inputs))
        return _watched(inputs, f"{task}.{model}.workspace", self._observer)

    def _watch_trials(self, task: str, inputs: dict[str, Any]) -> dict[str, Any]:
        from image_translation.tracking.trials import TrialsObserver

        self._observer = TrialsObserver(*self._observed(task, "", inputs))
        return _watched(inputs, f"{task}.tuning.workspace", self._observer)

    def _observed(self, task: str, model: str, inputs: dict[str, Any]) -> tuple:
        """What an observer has to know."""
        from image_translation.tracking.records import DatasetInput

        pairs = {
            side: inputs[f"{task}.{side}_pairs"] for side in ("train", "validation")
        }
        given = [
            DatasetInput(f"{task}.{side}_pairs", side, data.fingerprint, len(data))
            for side, data in pairs.items()
        ]
        translation = self._context.params[task]["translate"]
        environment = self._context.env or "local"
        return task, model, self._parent_run_id, given, translation, environment

    @hook_impl
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Add findings, scores, tables, figures and the report once they are known."""
        from image_translation.tracking.backlog import note_saved
        from image_translation.tracking.store import connection

        if self._parent_run_id is None or not is_logged(dataset_name):
            return
        log_dataset(self._catalog, self._parent_run_id, dataset_name)
        if connection.is_lost:
            models = models_folder(self._catalog, self._task)
            note_saved(models, self._parent_run_id, dataset_name)

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Close the run of a training that was left in the middle."""
        if self._observer is not None:
            self._observer.close()
        self._note_unsent("FAILED")

    @hook_impl(trylast=True, specname="after_pipeline_run")
    def note_unsent(self) -> None:
        """Keep in mind that the parent run was not told its end."""
        self._note_unsent("FINISHED")

    def _note_unsent(self, status: str) -> None:
        from image_translation.tracking.backlog import note_end
        from image_translation.tracking.store import connection

        is_ours = self._parent_run_id is not None and self._joined_run_id is None
        if connection.is_lost and is_ours:
            models = models_folder(self._catalog, self._task)
            note_end(models, self._parent_run_id, status)

    @hook_impl(trylast=True, specname="after_pipeline_run")
    def leave_joined_run(self) -> None:
        """Other processes are not done: only who began the parent run ends it."""
        if self._joined_run_id is not None:
            from image_translation.tracking.parents import leave_parent

            leave_parent(self._joined_run_id)

    @hook_impl(trylast=True, specname="on_pipeline_error")
    def leave_joined_run_on_error(self) -> None:
        """A node that failed may be tried again."""
        self.leave_joined_run()


def send_task(catalog: CatalogProtocol, task: str) -> None:
    """Send what MLflow has missed of a task."""
    from image_translation.tracking.runs import log_scores

    _send_backlog(catalog, task)
    for model in MODELS:
        results = [f"{task}.{model}.{thing}" for thing in ("trained", "scores")]
        if all(catalog.exists(name) for name in results):
            log_scores(*(catalog.load(name) for name in results))


def _send_backlog(
    catalog: CatalogProtocol, task: str, joined_run_id: str | None = None
) -> None:
    from image_translation.tracking.backlog import send_backlog

    log = partial(log_dataset_later, catalog)
    send_backlog(models_folder(catalog, task), log, going_on=joined_run_id)


def _run_name(run_params: dict[str, Any], task: str) -> str:
    """What the parent run is called: what it does, and when."""
    names = (*(run_params.get("pipeline_names") or ()), run_params.get("pipeline_name"))
    parts = [name for name in names if name in OF_ONE_TASK]
    namespaces = [name for name in run_params["namespaces"] or () if name != task]
    parts += [name.removeprefix(f"{task}.") for name in namespaces]
    parts += [*(run_params["tags"] or ()), *(run_params["node_names"] or ())]
    what = f"{task} ({', '.join(parts)})" if parts else task
    return f"{what} {datetime.now():%Y-%m-%d %H:%M}"


@require_store
def set_experiment(context: KedroContext, task: str) -> str:
    """Choose the experiment of a task, made where it is missing; returns its id."""
    config: Any = getattr(context, "mlflow")  # noqa: B009 - kedro-mlflow puts it there
    config.tracking.experiment.name = task
    config._set_experiment()
    return config.tracking.experiment._experiment.experiment_id


def _watched(
    inputs: dict[str, Any], name: str, observer: "MlflowObserver"
) -> dict[str, Any]:
    """The workspace of a node, with an observer."""
    return {name: replace(inputs[name], observers=(observer,))}


def _namespace(node: Node) -> str:
    return node.namespace or ""
