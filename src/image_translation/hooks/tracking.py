"""Kedro hooks that choose MLflow's store and experiment, and observe trainings."""

import os
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node

from image_translation.common.foreign_internals import choose_experiment
from image_translation.common.names import TRAIN, VALIDATION
from image_translation.hooks.project import find_task
from image_translation.pipeline_registry import OF_ONE_TASK
from image_translation.runs.store import require_store

if TYPE_CHECKING:
    from image_translation.runs.mlflow_observer import MlflowObserver


class TrackingHooks:
    """One experiment a task, one parent run a pipeline, one child run a training.

    kedro-mlflow starts and ends the parent run; these hooks run before it where the
    store and the experiment are chosen. With ``MLFLOW_RUN_ID`` it joins that run.
    """

    def __init__(self) -> None:
        self._context: Any = None
        self._parent_run_id: str | None = None
        self._shared_run_id: str | None = None
        self._observer: MlflowObserver | None = None

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Anchor the store to the project, and check that it answers."""
        from image_translation.runs.store import anchor_store, check_store

        config = anchor_store(context.config_loader["mlflow"], context.project_path)
        context.config_loader["mlflow"] = config
        check_store(config["server"]["mlflow_tracking_uri"] or "")
        self._context = context
        self._shared_run_id = os.environ.get("MLFLOW_RUN_ID")

    @hook_impl(tryfirst=True, specname="before_pipeline_run")
    def choose_experiment(self, run_params: dict[str, Any]) -> None:
        """Make kedro-mlflow start its run in the experiment of the task."""
        task = find_task(run_params)
        experiment_id = set_experiment(self._context, task)
        run = self._context.mlflow.tracking.run
        run.name = _run_name(run_params, task)
        if self._shared_run_id is not None:
            from image_translation.runs.parent_runs import check_parent

            check_parent(self._shared_run_id, experiment_id)
            run.id = self._shared_run_id

    @hook_impl(trylast=True, specname="before_pipeline_run")
    def remember_parent_run(self) -> None:
        """Keep the id of the run that kedro-mlflow started."""
        from image_translation.runs.parent_runs import current_parent

        self._parent_run_id = current_parent()

    @hook_impl
    def before_node_run(
        self, node: Node, inputs: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Add an observer to a training, or to the trials of a tuning."""
        if self._parent_run_id is None:
            return None
        namespace = node.namespace or ""
        if "tuning" in node.tags:
            from image_translation.runs.trials import TrialsObserver

            self._observer = TrialsObserver(*self._observed(namespace, "", inputs))
            return _observe(inputs, f"{namespace}.tuning.workspace", self._observer)
        if "training" not in node.tags:
            return None
        settings = inputs.get(f"params:{namespace}")  # an ensemble has none of its own
        if settings is not None and not settings.is_trainable:
            return None
        from image_translation.runs.mlflow_observer import MlflowObserver

        task, model = namespace.split(".")
        self._observer = MlflowObserver(*self._observed(task, model, inputs))
        return _observe(inputs, f"{namespace}.workspace", self._observer)

    def _observed(self, task: str, model: str, inputs: dict[str, Any]) -> tuple:
        """The arguments of an observer."""
        given = []
        for subset in (TRAIN, VALIDATION):
            pairs = inputs.get(f"{task}.{subset}_pairs")
            if pairs is None:  # an ensemble is not trained
                continue
            given.append(
                {
                    "name": f"{task}.{subset}_pairs",
                    "context": subset,
                    "fingerprint": pairs.fingerprint,
                    "n_pairs": len(pairs),
                }
            )
        translation = self._context.params[task].served.model_dump()
        environment = self._context.env or "local"
        return task, model, self._parent_run_id, given, translation, environment

    @hook_impl
    def on_pipeline_error(self) -> None:
        """End the run of an interrupted training."""
        if self._observer is not None:
            self._observer.close()


def _run_name(run_params: dict[str, Any], task: str) -> str:
    """The name of the parent run: task, parts and time."""
    names = (*(run_params.get("pipeline_names") or ()), run_params.get("pipeline_name"))
    parts = [name for name in names if name in OF_ONE_TASK]
    namespaces = [name for name in run_params["namespaces"] or () if name != task]
    parts += [name.removeprefix(f"{task}.") for name in namespaces]
    parts += [*(run_params["tags"] or ()), *(run_params["node_names"] or ())]
    title = f"{task} ({', '.join(parts)})" if parts else task
    return f"{title} {datetime.now():%Y-%m-%d %H:%M}"


@require_store
def set_experiment(context: KedroContext, task: str) -> str:
    """Choose the experiment of a task, created where it is missing.

    Returns:
        The experiment's id.
    """
    config: Any = getattr(context, "mlflow")  # noqa: B009 - set by kedro-mlflow
    return choose_experiment(config, task)


def _observe(
    inputs: dict[str, Any], name: str, observer: "MlflowObserver"
) -> dict[str, Any]:
    """The workspace of a node, with an observer."""
    return {name: replace(inputs[name], observers=(observer,))}
