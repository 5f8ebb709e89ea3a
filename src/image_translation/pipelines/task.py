"""A task: from ingestion to report, with one instance of the model template per
model.
"""

from collections.abc import Sequence

from kedro.pipeline import Pipeline, pipeline

from image_translation.common.names import ENSEMBLE
from image_translation.pipeline_registry import external_models
from image_translation.pipelines import (
    comparison,
    human_study,
    ingestion,
    model,
    preparation,
    promotion,
    splitting,
)


def create_pipeline(task: str, models: Sequence[str]) -> Pipeline:
    """Create all pipelines of a task, namespaced ``<task>`` and ``<task>.<model>``.

    Args:
        task: Name of the task.
        models: Names of all models, ensembles and baselines, in the order of the tables.
    """
    whole = (
        ingestion.create_pipeline()
        + splitting.create_pipeline()
        + preparation.create_pipeline()
        + sum((_create_model(name) for name in models), start=Pipeline([]))
        + human_study.create_blind_test(models)
        + promotion.create_pipeline(models)
        + comparison.create_pipeline(models)
    )
    return pipeline(
        whole,
        namespace=task,
        inputs={"task_results", "typical_images"},
        outputs={"summary"},
        parameters={"params:task": f"params:{task}"},
    )


def _create_model(name: str) -> Pipeline:
    """The pipeline of a model, or of the ensemble of a model's trainings."""
    member = name.removesuffix(ENSEMBLE)
    pairs = {x: x for x in ("train_pairs", "validation_pairs", "scored_pairs")}
    parameters = {
        "params:test": "params:test",
        "params:learned_metrics": "params:learned_metrics",
        "params:model.inference": f"params:{member}.inference",
    }
    if name in external_models():
        return pipeline(
            model.create_external(),
            namespace=name,
            inputs={"scored_pairs", "split"},
            parameters={
                "params:test": "params:test",
                "params:learned_metrics": "params:learned_metrics",
                "params:preparation": "params:preparation",
                "params:external": f"params:external.{name}",
            },
        )
    if name == member:
        return pipeline(
            model.create_pipeline(),
            namespace=name,
            inputs=pairs,
            parameters={**parameters, "params:model": f"params:{name}"},
        )
    del pairs["train_pairs"]
    return pipeline(
        model.create_ensemble(),
        namespace=name,
        inputs={**pairs, "members": f"{member}.trained"},
        parameters=parameters,
    )
