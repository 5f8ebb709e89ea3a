from image_translation.datasets.source import SourceDataset
from image_translation.sources import Source


def test_round_trip(tmp_path):
    source = Source(
        name="photos",
        root=tmp_path,
        files=("a/ü 1.png", "a/<script>.png"),
        groups={"a/ü 1.png": "a"},
        subsets={"a": "test"},
        credit="nobody",
    )
    dataset = SourceDataset(filepath=str(tmp_path / "new" / "source.json"))
    assert not dataset.exists()
    dataset.save(source)
    assert dataset.exists()
    assert dataset.load() == source


def test_root_follows_the_data_folder(tmp_path):
    path = "data/02_intermediate/colorization/source.json"
    root = tmp_path / "old/data/01_raw/colorization/photographs"
    SourceDataset(filepath=str(tmp_path / "old" / path)).save(Source("s", root, ()))
    (tmp_path / "old").rename(tmp_path / "new")
    moved = SourceDataset(filepath=str(tmp_path / "new" / path)).load()
    assert moved.root == tmp_path / "new/data/01_raw/colorization/photographs"


def test_preview_describes_the_source(tmp_path):
    dataset = SourceDataset(filepath=str(tmp_path / "source.json"))
    files = tuple(f"{number}.png" for number in range(5))
    dataset.save(Source("photos", tmp_path, files, groups={"0.png": "a"}))
    described = dict(dataset.preview()["data"])
    assert (described["name"], described["files"], described["groups known"]) == (
        "photos",
        5,
        1,
    )
    assert described["first files"] == "0.png, 1.png, 2.png"
