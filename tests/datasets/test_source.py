from image_translation.datasets.source import SourceDataset
from image_translation.sources import Source


def test_source_makes_the_round_trip(tmp_path):
    source = Source(
        name="photos",
        root=tmp_path,
        files=("a/ü 1.png", "a/<script>.png"),
        groups={"a/ü 1.png": "a"},
        sides={"a": "test"},
        credit="nobody",
    )
    dataset = SourceDataset(filepath=str(tmp_path / "new" / "source.json"))
    assert not dataset.exists()
    dataset.save(source)
    assert dataset.exists()
    assert dataset.load() == source
