import pytest
from kedro.io import DatasetError

from image_translation.common.stamps import Stamp
from image_translation.datasets.exports import ExportsDataset


@pytest.fixture
def dataset(tmp_path):
    return ExportsDataset(filepath=str(tmp_path / "exported"))


@pytest.fixture
def export(tmp_path):
    """Writes a complete export."""

    def write(model):
        folder = tmp_path / "exported" / model
        folder.mkdir(parents=True)
        (folder / "variants.csv").write_text("variant,bytes\nonnx int8,5\n")
        Stamp(folder).write("f")
        return folder

    return write


def test_complete_exports_are_loaded_by_model(dataset, export, tmp_path):
    assert not dataset.exists() and dataset.load() == {}
    folder = export("unet")
    (tmp_path / "exported/pix2pix").mkdir()
    assert dataset.load() == {"unet": folder}
    dataset.save({"unet": folder})
    with pytest.raises(DatasetError, match="lacks pix2pix"):
        dataset.save({"unet": folder, "pix2pix": tmp_path})


def test_variants_of_all_exports_are_shown(dataset, export):
    export("unet")
    export("pix2pix")
    shown = str(dataset.preview())
    assert "unet" in shown and "pix2pix" in shown and "onnx int8" in shown
