"""Kaggle, with a fake client in kagglehub."""

import errno
import io
import time
import zipfile
from types import SimpleNamespace

import kagglehub.http_resolver as resolver
import pytest
import requests

from image_translation.common.errors import InputError
from image_translation.sources import limits, open_source
from tests.sources.archives import zip_of

LANDSCAPES = {
    f"landscape Images/{side}/{n}.jpg": f"{side}{n}".encode()
    for side in ("color", "gray")
    for n in range(3)
}


def response(status: int, content: bytes = b"") -> requests.Response:
    answer = requests.Response()
    answer.status_code, answer.raw = status, io.BytesIO(content)
    answer.url = "https://kaggle.invalid/archive.zip"
    answer.headers["Content-Length"] = str(len(content))
    return answer


def refuse(status: int):
    def call(*_):
        raise requests.HTTPError(f"{status} error", response=response(status))

    return call


class StandIn:
    """The methods of Kaggle's client that kagglehub calls."""

    def __init__(self, archive: bytes) -> None:
        self.downloads = 0
        self.archive = archive
        self.version = 3
        api = SimpleNamespace(
            get_dataset=lambda _: SimpleNamespace(current_version_number=self.version),
            download_dataset=self.download,
            download_data_files=self.download,
        )
        self.datasets = SimpleNamespace(dataset_api_client=api)
        self.competitions = SimpleNamespace(competition_api_client=api)
        self.api = api

    def download(self, _):
        self.downloads += 1
        return response(200, self.archive)

    def __enter__(self):
        return self

    def __exit__(self, *_): ...


@pytest.fixture
def kaggle(tmp_path, monkeypatch):
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "nobody"))
    archive = zip_of(tmp_path / "kaggle.zip", LANDSCAPES)
    client = StandIn(archive.read_bytes())
    monkeypatch.setattr(resolver, "build_kaggle_client", lambda: client)
    return client


@pytest.fixture
def known(kaggle, monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "somebody")
    monkeypatch.setenv("KAGGLE_KEY", "key")


def offline(*_):
    raise requests.ConnectionError("no route to host")


class TestDataSet:
    def test_is_downloaded_once(self, kaggle, tmp_path):
        first = open_source("kaggle:owner/landscapes", tmp_path / "raw")
        assert set(first.files) == set(LANDSCAPES)
        assert first.name == "kaggle:owner/landscapes"
        assert open_source("kaggle:owner/landscapes", tmp_path / "raw") == first
        assert kaggle.downloads == 1

    def test_new_version_is_downloaded(self, kaggle, tmp_path):
        open_source("kaggle:owner/landscapes", tmp_path / "raw")
        kaggle.version = 4
        kaggle.archive = zip_of(tmp_path / "new.zip", {"1.png": b"x"}).read_bytes()
        assert open_source("kaggle:owner/landscapes", tmp_path / "raw").files == (
            "1.png",
        )

    def test_pinned_version_works_without_a_network(self, kaggle, tmp_path):
        pinned = "kaggle:owner/landscapes/versions/2"
        first = open_source(pinned, tmp_path / "raw")
        kaggle.api.get_dataset = kaggle.api.download_dataset = offline
        assert open_source(pinned, tmp_path / "raw") == first

    def test_without_a_network_the_error_names_the_version_to_pin(
        self, kaggle, tmp_path
    ):
        open_source("kaggle:owner/landscapes", tmp_path / "raw")
        kaggle.api.get_dataset = offline
        with pytest.raises(
            InputError, match=r"source=kaggle:owner/landscapes/versions/3"
        ):
            open_source("kaggle:owner/landscapes", tmp_path / "raw")

    def test_without_a_network_and_a_copy(self, kaggle, tmp_path):
        kaggle.api.get_dataset = offline
        with pytest.raises(InputError, match="cannot be reached.*Check the network"):
            open_source("kaggle:owner/landscapes", tmp_path)

    def test_not_found(self, kaggle, tmp_path):
        kaggle.api.get_dataset = refuse(404)
        with pytest.raises(InputError, match=r"no such data.*kaggle\.com/datasets/a/b"):
            open_source("kaggle:a/b", tmp_path)

    def test_no_credentials(self, kaggle, tmp_path):
        kaggle.api.get_dataset = refuse(403)
        with pytest.raises(InputError, match=r"kaggle\.json.*KAGGLE_USERNAME"):
            open_source("kaggle:a/b", tmp_path)

    @pytest.mark.usefixtures("known")
    def test_rejected_with_credentials(self, kaggle, tmp_path):
        kaggle.api.get_dataset = refuse(403)
        with pytest.raises(InputError, match="private or does not exist, its terms"):
            open_source("kaggle:a/b", tmp_path)

    def test_damaged_credentials_are_reported(self, kaggle, tmp_path, monkeypatch):
        (tmp_path / "nobody").mkdir()
        (tmp_path / "nobody/kaggle.json").write_text("no json")
        monkeypatch.undo()
        monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "nobody"))
        with pytest.raises(InputError, match=r"kaggle\.json"):
            open_source("kaggle:a/b", tmp_path)

    def test_full_disk(self, kaggle, tmp_path):
        def fill(_):
            raise OSError(errno.ENOSPC, "No space left on device")

        kaggle.api.download_dataset = fill
        with pytest.raises(InputError, match="disk is full.*KAGGLEHUB_CACHE"):
            open_source("kaggle:a/b", tmp_path)

    @pytest.mark.parametrize("status", [429, 503])
    def test_server_error(self, kaggle, tmp_path, status):
        kaggle.api.get_dataset = refuse(status)
        with pytest.raises(InputError, match="run again"):
            open_source("kaggle:a/b", tmp_path)

    @pytest.mark.parametrize(
        "name", ["kaggle:", "kaggle:one", "kaggle:a/b/3", "kaggle:a/b/versions/x"]
    )
    def test_error_of_a_bad_name_shows_the_format(self, kaggle, tmp_path, name):
        with pytest.raises(InputError, match="kaggle:owner/dataset/versions/N"):
            open_source(name, tmp_path)


class TestCompetition:
    @pytest.mark.usefixtures("known")
    def test_is_downloaded(self, kaggle, tmp_path):
        source = open_source("kaggle-competition:gan-getting-started", tmp_path)
        assert set(source.files) == set(LANDSCAPES)

    @pytest.mark.usefixtures("known")
    def test_rules_must_be_accepted(self, kaggle, tmp_path):
        kaggle.api.download_data_files = refuse(403)
        with pytest.raises(InputError, match="competitions/gan/rules"):
            open_source("kaggle-competition:gan", tmp_path)

    def test_needs_credentials(self, kaggle, tmp_path):
        with pytest.raises(InputError, match=r"kaggle\.json"):
            open_source("kaggle-competition:gan", tmp_path)


def test_damaged_archive_is_reported(kaggle, tmp_path):
    kaggle.archive = b"no archive"
    with pytest.raises(InputError, match="kaggle:a/b"):
        open_source("kaggle:a/b", tmp_path)
    assert not zipfile.is_zipfile(tmp_path / "cache")


def left(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


class TestLimits:
    @pytest.mark.parametrize("limit", [100, 2000])  # the archive, the files
    def test_large_download_leaves_nothing(self, kaggle, tmp_path, monkeypatch, limit):
        kaggle.archive = zip_of(tmp_path / "k.zip", {"1.png": bytes(5000)}).read_bytes()
        monkeypatch.setattr(limits, "MAX_BYTES", limit)
        with pytest.raises(InputError, match="kaggle:a/b is larger.*pass the folder"):
            open_source("kaggle:a/b", tmp_path / "raw")
        assert not left(tmp_path / "cache")

    def test_slow_download_leaves_nothing(self, kaggle, tmp_path, monkeypatch):
        def trickle(*_):
            for _ in range(300):
                time.sleep(0.1)
                yield b"x"

        monkeypatch.setattr(requests.Response, "iter_content", trickle)
        monkeypatch.setattr(limits, "MAX_SECONDS", 0.5)
        with pytest.raises(InputError, match="takes longer than"):
            open_source("kaggle:a/b", tmp_path / "raw")
        assert not left(tmp_path / "cache")

    def test_damaged_archive_leaves_nothing(self, kaggle, tmp_path):
        kaggle.archive = b"no archive"
        with pytest.raises(InputError):
            open_source("kaggle:a/b", tmp_path / "raw")
        assert not left(tmp_path / "cache")

    def test_failed_version_keeps_the_others(self, kaggle, tmp_path):
        first = open_source("kaggle:a/b", tmp_path / "raw")
        kaggle.version, kaggle.archive = 4, b"no archive"
        with pytest.raises(InputError):
            open_source("kaggle:a/b", tmp_path / "raw")
        assert open_source("kaggle:a/b/versions/3", tmp_path / "raw").root == first.root

    @pytest.mark.usefixtures("known")
    def test_failed_competition_keeps_the_old_data(self, kaggle, tmp_path):
        first = open_source("kaggle-competition:gan", tmp_path / "raw")
        kaggle.archive = b"no archive"
        with pytest.raises(InputError):
            open_source("kaggle-competition:gan", tmp_path / "raw")
        files = {path.name for path in left(first.root)}
        assert files == {name.rpartition("/")[2] for name in LANDSCAPES}
        kaggle.archive = zip_of(tmp_path / "new.zip", {"9.png": b"x"}).read_bytes()
        assert open_source("kaggle-competition:gan", tmp_path).files == ("9.png",)

    def test_signed_address_is_never_shown(self, kaggle, tmp_path):
        def lose(_):
            raise requests.ConnectionError(
                "Max retries exceeded with url: /x.zip?X-Goog-Signature=secret"
            )

        kaggle.api.download_dataset = lose
        with pytest.raises(InputError, match="cannot be reached") as error:
            open_source("kaggle:a/b", tmp_path)
        assert "secret" not in str(error.value)
