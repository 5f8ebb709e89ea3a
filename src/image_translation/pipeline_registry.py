"""The tasks, the models, and the pipelines made of them."""

from kedro.pipeline import Pipeline

TASKS = ("colorization", "monet", "cartoon", "hidden_digits", "custom")
"""Every task is a name here and a block in ``parameters_<task>.yml``."""

MODELS = ("pix2pix", "unet", "autoencoder", "autoencoder_gan")
"""Every model is a name here and a block under ``models`` in ``parameters.yml``."""

BASELINES = ("copy_input", "mean_target")
"""Models without training that stand in every table."""


HUMAN_STUDY = "human_study"
"""Reads votes of a blind test; ``task=<task>`` in ``--params`` says of which one."""


def register_pipelines() -> dict[str, Pipeline]:
    """One pipeline a task, ``colorization`` by default, and what judges preferred."""
    from image_translation.pipelines import human_study
    from image_translation.pipelines.task import create_pipeline

    models = (*MODELS, *BASELINES)
    pipelines = {task: create_pipeline(task, models, TASKS) for task in TASKS}
    studies = sum(map(human_study.create_pipeline, TASKS), start=Pipeline([]))
    return {
        **pipelines,
        HUMAN_STUDY: studies,
        "__default__": pipelines["colorization"],
    }
