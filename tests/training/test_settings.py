import subprocess
import sys

import pytest
from pydantic import ValidationError

from tests.training.conftest import make_settings


def test_network_without_anything_to_train_for_is_an_error():
    with pytest.raises(ValidationError, match="set objective.l1 or"):
        make_settings("unet", objective__l1=0)


def test_objective_set_for_all_models_does_no_harm_to_a_baseline():
    assert not make_settings("copy_input", objective__l1=1).is_trainable


@pytest.mark.parametrize(
    ("model", "is_trainable"), [("pix2pix", True), ("mean_target", False)]
)
def test_baselines_are_not_trainable(model, is_trainable):
    assert make_settings(model).is_trainable is is_trainable


def test_describing_models_does_not_import_torch():
    modules = ", ".join(
        f"image_translation.training{name}"
        for name in ("", ".settings", ".trained", ".observer")
    )
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_functions_are_found_even_after_their_modules_were_imported():
    import image_translation.training.loop
    import image_translation.training.replicates  # noqa: F401
    from image_translation import training

    assert all(callable(getattr(training, name)) for name in training.__all__)
