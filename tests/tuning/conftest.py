from typing import Any

from image_translation.tuning.search import tune
from image_translation.tuning.settings import TuningSettings
from tests.training.conftest import (  # noqa: F401
    make_settings,
    train_pairs,
    validation_pairs,
)

SPACE = {
    "training": {
        "learning_rate": {"low": "0.0005", "high": "0.01", "log": "true"},
        "schedule": {"choices": "constant|cosine"},
    },
    "objective": {"l1": {"low": "10", "high": "1000", "log": "true", "gan": "true"}},
}


def make_tuning(**changes: Any) -> TuningSettings:
    block = {
        "model": "unet",
        "trials": 3,
        "epochs": 2,
        "pairs": None,
        "sampler": "tpe",
        "seed": 0,
        "pruner": "none",
        "startup": 2,
        "warm_up": 0,
        "storage": None,
        "study": None,
        "heartbeat": 30,
        "search": None,
        "space": SPACE,
    }
    return TuningSettings.model_validate({**block, **changes})


def run_tuning(folder, pairs, *, model="unet", settings=None, observers=(), **changes):
    """Tune on a training and a validation side."""
    settings = settings or make_settings(model)
    tuning = make_tuning(**changes)
    return tune("task", model, settings, tuning, *pairs, folder, observers)
