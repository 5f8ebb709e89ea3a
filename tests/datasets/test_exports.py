import pytest
from kedro.io import DatasetError

from image_translation.common.errors import InputError, causes
from image_translation.common.fingerprint import Deferred
from image_translation.datasets.exports import ExportsDataset


class Written:
    """A fake export: writes a file, or fails half way."""

    def __init__(self, text, fails=False):
        self.text, self.fails = text, fails

    def write(self, folder):
        (folder / "model.onnx").write_text(self.text)
        if self.fails:
            raise InputError("runtimes do not agree")


@pytest.fixture
def dataset(tmp_path):
    return ExportsDataset(filepath=str(tmp_path / "exported"))


def test_export_is_written_once_per_fingerprint(dataset):
    assert not dataset.exists() and dataset.load() == {}
    for fingerprint, text in (("a", "first"), ("a", "second"), ("b", "third")):
        dataset.save({"unet": Deferred(fingerprint, lambda text=text: Written(text))})
        (folder,) = dataset.load().values()
        expected = "third" if text == "third" else "first"
        assert (folder / "model.onnx").read_text() == expected
    assert list(dataset.load()) == ["unet"]


def test_failed_export_keeps_the_old_one(dataset):
    dataset.save({"unet": Deferred("a", lambda: Written("first"))})
    with pytest.raises(DatasetError) as caught:
        dataset.save({"unet": Deferred("b", lambda: Written("bad", fails=True))})
    assert any(isinstance(cause, InputError) for cause in causes(caught.value))
    folder = dataset.load()["unet"]
    assert (folder / "model.onnx").read_text() == "first"
    assert [path.name for path in folder.parent.iterdir()] == ["unet"]


def test_variants_of_all_exports_are_shown(dataset):
    class Measured:
        def write(self, folder):
            (folder / "variants.csv").write_text("variant,bytes\nonnx int8,5\n")

    dataset.save({"unet": Deferred("a", Measured), "pix2pix": Deferred("a", Measured)})
    shown = str(dataset.preview())
    assert "unet" in shown and "pix2pix" in shown and "onnx int8" in shown
