"""Networks by name. PyTorch is imported when one is built."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from image_translation.common.names import BASELINES

if TYPE_CHECKING:
    from torch import nn

GENERATORS = tuple(
    module.name
    for module in iter_modules([str(Path(__file__).with_name("generators"))])
)
"""Networks that are trained: the files in ``generators``."""

NETWORKS = (*GENERATORS, *BASELINES)


def module_of(name: str) -> str:
    """Dotted name of the module that defines a network."""
    home = f"generators.{name}" if name in GENERATORS else "baselines"
    return f"{__package__}.{home}"


def code_of(name: str, output: str = "rgb") -> tuple[str, ...]:
    """Entries of `find_code` for a network and its output layer."""
    return module_of(name), f"{__package__}.outputs.OUTPUTS[{output}]"


def build_network(
    name: str, image_size: int, base_channels: int, **structure: Any
) -> "nn.Module":
    """Build a generator with initial weights.

    Args:
        name: One of ``NETWORKS``.
        image_size: Height and width in pixels.
        base_channels: Channels of the outermost level; baselines have none.
        structure: Options of `Structure`; the defaults are those of the paper.

    Raises:
        ValueError: An unknown name or option, or an image size the network cannot have.
    """
    from image_translation.networks.baselines import build_baseline
    from image_translation.networks.blocks import Structure

    if name not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}, not {name!r}")
    if name in BASELINES:
        return build_baseline(name, image_size)
    build = import_module(module_of(name)).build
    return build(image_size, base_channels, Structure(**structure))
