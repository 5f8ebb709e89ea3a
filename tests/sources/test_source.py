from image_translation.sources import Source, list_folder
from tests.pairing.helpers import write


def test_json_round_trip(tmp_path):
    source = Source(
        name="é",
        root=tmp_path,
        files=("a\n.png", 'b".png'),
        groups={"a\n.png": "g"},
        subsets={"g": "test"},
        credit="somebody",
    )
    assert Source.from_json(source.to_json()) == source


class TestFingerprint:
    def test_does_not_depend_on_the_location_of_the_folder(self, tmp_path):
        write(tmp_path / "one/1.png", 0)
        before = list_folder(tmp_path / "one").fingerprint
        (tmp_path / "one").rename(tmp_path / "two")
        assert list_folder(tmp_path / "two").fingerprint == before

    def test_changes_with_the_files(self, tmp_path):
        path = write(tmp_path / "1.png", 0)
        seen = {list_folder(tmp_path).fingerprint}
        write(tmp_path / "2.png", 0)
        seen.add(list_folder(tmp_path).fingerprint)
        path.write_bytes(path.read_bytes() + b"x")
        seen.add(list_folder(tmp_path).fingerprint)
        assert len(seen) == 3

    def test_broken_link_is_accepted(self, tmp_path):
        (tmp_path / "1.png").symlink_to(tmp_path / "gone.png")
        assert list_folder(tmp_path).fingerprint
