import gzip
import struct

import numpy as np
import pytest
from PIL import Image

from image_translation.common.errors import InputError
from image_translation.sources import idx, open_source
from image_translation.sources.idx import read_idx

RANDOM = np.random.default_rng(0)


def write_idx(path, values, opened=open):
    path.parent.mkdir(parents=True, exist_ok=True)
    head = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    with opened(path, "wb") as file:
        file.write(head + values.astype(np.uint8).tobytes())


@pytest.fixture
def images():
    return RANDOM.integers(0, 256, (6, 28, 28), dtype=np.uint8)


@pytest.fixture
def labels():
    return np.array([3, 1, 3, 0, 9, 1])


@pytest.fixture
def mnist(tmp_path, images, labels):
    folder = tmp_path / "mnist"
    write_idx(folder / "train-images-idx3-ubyte.gz", images, gzip.open)
    write_idx(folder / "train-labels-idx1-ubyte.gz", labels, gzip.open)
    write_idx(folder / "t10k-images-idx3-ubyte", images[:2])
    return folder


def test_images_are_written_by_set_and_label(mnist, tmp_path, images):
    source = open_source(str(mnist), tmp_path / "raw")
    assert source.files == (
        "t10k/00000.png",
        "t10k/00001.png",
        "train/0/00003.png",
        "train/1/00001.png",
        "train/1/00005.png",
        "train/3/00000.png",
        "train/3/00002.png",
        "train/9/00004.png",
    )
    stored = np.asarray(Image.open(source.root / "train/9/00004.png"))
    np.testing.assert_array_equal(stored, images[4])
    assert source.name == "mnist"


def test_layout_on_kaggle_counts_each_file_once(tmp_path, images):
    folder = tmp_path / "kaggle"
    write_idx(folder / "train-images.idx3-ubyte", images)
    write_idx(folder / "train-images-idx3-ubyte/train-images-idx3-ubyte", images)
    assert len(open_source(str(folder), tmp_path / "raw").files) == len(images)


def test_converted_once(mnist, tmp_path):
    first = open_source(str(mnist), tmp_path / "raw")
    (first.root / "mark").touch()
    assert open_source(str(mnist), tmp_path / "raw") == first
    assert (first.root / "mark").exists()


@pytest.mark.parametrize("dtype_byte", [0x0D, 0x00])
def test_other_types_are_rejected(tmp_path, dtype_byte):
    path = tmp_path / "x"
    path.write_bytes(struct.pack(">HBBI", 0, dtype_byte, 1, 4) + bytes(16))
    with pytest.raises(InputError, match="not an IDX file of unsigned bytes"):
        read_idx(path)


def test_truncated_file_is_reported(tmp_path, images):
    path = tmp_path / "train-images-idx3-ubyte"
    write_idx(path, images)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte is damaged"):
        read_idx(path)


def test_invalid_gzip_is_reported(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_text("<html>not found</html>")
    with pytest.raises(InputError, match="damaged.*download it again"):
        read_idx(path)


def test_mismatched_labels_are_an_error(mnist, tmp_path, labels):
    write_idx(mnist / "train-labels-idx1-ubyte.gz", labels[:-1], gzip.open)
    with pytest.raises(InputError, match="6 images.*5 labels"):
        open_source(str(mnist), tmp_path / "raw")


def test_too_many_images_are_rejected(mnist, tmp_path, monkeypatch):
    monkeypatch.setattr(idx, "_MAX_IMAGES", 5)
    with pytest.raises(InputError, match="contains 6 images; the limit is 5"):
        open_source(str(mnist), tmp_path / "raw")
