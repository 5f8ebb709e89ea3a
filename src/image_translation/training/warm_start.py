"""Training that starts from the weights of an earlier one."""

from pathlib import Path

from torch import nn

from image_translation.errors import InputError
from image_translation.training.settings import ModelSettings
from image_translation.training.trained import WEIGHTS


def find_start(settings: ModelSettings) -> Path | None:
    """The weights to start from, or None for random ones.

    Raises:
        InputError: ``training.warm_start`` names neither weights nor a folder of them.
    """
    named = settings.training.warm_start
    if named is None or not settings.is_trainable:
        return None
    path = Path(named)
    file = path / WEIGHTS if path.is_dir() else path
    if not file.is_file():
        raise InputError(
            f"training.warm_start: there is no file {file}; pass weights "
            f"(*.safetensors) or a folder that holds {WEIGHTS}, such as "
            "data/06_models/<task>/<model>/replicate-0"
        )
    return file


def load_start(generator: nn.Module, file: Path) -> None:
    """Give a generator the weights of an earlier training.

    Raises:
        InputError: They cannot be read, or are those of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        generator.load_state_dict(load_file(file))
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"training.warm_start: {file} does not fit this network ({reason}); it must "
            "have the same name, base_channels and image size. Set it for one model: "
            "<task>.<model>.training.warm_start"
        ) from error
