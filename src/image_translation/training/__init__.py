"""Training and inference in plain PyTorch, usable without Kedro.

Names are imported on first use, so that settings can be read without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_translation.training.fitting import fit
    from image_translation.training.inference import translate
    from image_translation.training.observer import Observer
    from image_translation.training.replicates import train
    from image_translation.training.trained import TrainedModel, TrainedReplicate

__all__ = [
    "Observer",
    "TrainedModel",
    "TrainedReplicate",
    "fit",
    "train",
    "translate",
]

_HOMES = {
    "Observer": "observer",
    "TrainedModel": "trained",
    "TrainedReplicate": "trained",
    "fit": "fitting",
    "train": "replicates",
    "translate": "inference",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
