import hashlib

import numpy as np
import pytest
from PIL import Image

from image_translation.imaging import sample_photographs as photographs
from image_translation.imaging.sample_photographs import PHOTOGRAPHS
from image_translation.sources import open_source
from tests.pairing.helpers import write


class TestPhotographs:
    @pytest.fixture(autouse=True)
    def few(self, monkeypatch):
        few = [p for p in PHOTOGRAPHS if p.name in {"chelsea", "flower", "rocket"}]
        monkeypatch.setattr(photographs, "PHOTOGRAPHS", few)

    @pytest.fixture
    def raw(self, tmp_path):
        return tmp_path / "raw"

    @pytest.fixture
    def source(self, raw):
        return open_source("photographs", raw)

    def test_photos_are_groups_with_a_subset(self, source):
        assert set(source.groups) == set(source.files)
        assert set(source.groups.values()) == set(source.subsets)
        assert source.subsets == {
            "chelsea": "test",
            "flower": "validation",
            "rocket": "train",
        }
        assert "vultilion on Flickr, CC BY 2.0" in source.credit

    def test_crops_are_written_once(self, source, raw, monkeypatch):
        monkeypatch.setattr(
            photographs, "write_crops", lambda _: pytest.fail("written again")
        )
        assert open_source("photographs", raw) == source

    def test_incomplete_crops_are_written_again(self, source, raw):
        (raw / "photographs/fingerprint.json").unlink()
        write(raw / "photographs/files/chelsea/left-over.png", 0)
        assert open_source("photographs", raw) == source

    def test_other_files_in_the_folder_are_kept(self, tmp_path, monkeypatch):
        monkeypatch.setattr(
            photographs, "write_crops", lambda root: write(root / "chelsea/1.png", 0)
        )
        write(tmp_path / "mine.png", 0)
        assert open_source("photographs", tmp_path).files == ("chelsea/1.png",)
        assert (tmp_path / "mine.png").exists()


class TestDigits:
    def test_all_digits_are_written_light_on_black_by_label(self, tmp_path):
        source = open_source("digits", tmp_path)
        assert len(source.files) == 1797
        labels = {file.partition("/")[0] for file in source.files}
        assert labels == set("0123456789")
        image = np.asarray(Image.open(source.root / source.files[0]))
        assert image.shape == (32, 32)
        assert image.dtype == np.uint8
        assert np.percentile(image, 25) < 20
        assert image.max() > 200
        assert "scikit-learn" in source.credit

    def test_bytes_are_reproducible(self, tmp_path):
        def contents(folder):
            source = open_source("digits", folder)
            files = [(source.root / file).read_bytes() for file in source.files]
            return hashlib.sha256(b"".join(files)).hexdigest()

        assert contents(tmp_path / "a") == contents(tmp_path / "b")
