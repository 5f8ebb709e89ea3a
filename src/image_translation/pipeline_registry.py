"""The tasks, the models, and the pipelines made of them."""

from kedro.pipeline import Pipeline

TASKS = ("colorization", "monet", "cartoon", "hidden_digits", "custom")
"""Every task is a name here and a block in ``parameters_<task>.yml``."""

MODELS = ("pix2pix", "unet", "autoencoder", "autoencoder_gan")
"""Every model is a name here and a block under ``models`` in ``parameters.yml``."""

BASELINES = ("copy_input", "mean_target")
"""Models without training that stand in every table."""


def register_pipelines() -> dict[str, Pipeline]:
    """One pipeline a task, ``colorization`` by default."""
    from image_translation.pipelines.task import create_pipeline

    models = (*MODELS, *BASELINES)
    pipelines = {task: create_pipeline(task, models, TASKS) for task in TASKS}
    return {**pipelines, "__default__": pipelines["colorization"]}
