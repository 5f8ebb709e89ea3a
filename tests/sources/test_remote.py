import functools
import http.server
import threading
import uuid

import fsspec
import pytest

from image_translation.common.errors import InputError
from image_translation.sources import open_source, remote
from tests.sources.archives import zip_of


@pytest.fixture
def bucket():
    """A folder in fsspec's file system in memory: object storage without a network."""
    name = f"memory://{uuid.uuid4()}"
    system = fsspec.filesystem("memory")

    def put(path: str, content: bytes) -> None:
        with system.open(f"{name}/{path}", "wb") as file:
            file.write(content)

    put("in/1.png", b"one")
    put("in/é 2.png", b"two")
    yield name, put
    system.rm(name.removeprefix("memory:/"), recursive=True)


@pytest.fixture
def server(tmp_path):
    """The folder ``tmp_path/www`` over HTTP."""
    (tmp_path / "www").mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_): ...

    handler = functools.partial(Quiet, directory=str(tmp_path / "www"))
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}", tmp_path / "www"
    running.shutdown()
    running.server_close()


class TestFolder:
    def test_is_downloaded_with_its_sub_folders(self, bucket, tmp_path):
        source = open_source(bucket[0], tmp_path)
        assert source.files == ("in/1.png", "in/é 2.png")
        assert (source.root / "in/1.png").read_bytes() == b"one"
        assert source.name == bucket[0]

    def test_only_changes_are_downloaded_again(self, bucket, tmp_path, monkeypatch):
        url, put = bucket
        root = open_source(url, tmp_path).root
        put("in/1.png", b"changed")
        put("in/3.png", b"new")
        fetched = []
        fetch_batch = remote._fetch_batch
        monkeypatch.setattr(
            remote,
            "_fetch_batch",
            lambda system, far, near: (
                fetched.extend(path.name for path in near),
                fetch_batch(system, far, near),
            ),
        )
        assert open_source(url, tmp_path).root == root
        assert fetched == ["1.png", "3.png"]
        assert (root / "in/1.png").read_bytes() == b"changed"

    def test_remotely_deleted_file_is_deleted(self, bucket, tmp_path):
        open_source(bucket[0], tmp_path)
        fsspec.filesystem("memory").rm(bucket[0].removeprefix("memory:/") + "/in/1.png")
        assert open_source(bucket[0], tmp_path).files == ("in/é 2.png",)

    def test_interrupted_download_resumes(self, bucket, tmp_path, monkeypatch):
        url, _ = bucket
        monkeypatch.setattr(remote, "_BATCH", 1)
        calls, fetch_batch = [], remote._fetch_batch

        def fail_second(system, far, near):
            calls.append(near[0].name)
            if len(calls) == 2:
                raise OSError("connection lost")
            fetch_batch(system, far, near)

        monkeypatch.setattr(remote, "_fetch_batch", fail_second)
        with pytest.raises(InputError, match="connection lost"):
            open_source(url, tmp_path)
        assert len(open_source(url, tmp_path).files) == 2
        assert calls == ["1.png", "é 2.png", "é 2.png"]

    def test_missing_folder_is_an_error(self, tmp_path):
        with pytest.raises(
            InputError, match="nothing found at memory://nowhere/at-all"
        ):
            open_source("memory://nowhere/at-all", tmp_path)

    def test_path_outside_the_folder_is_rejected(self, tmp_path, monkeypatch):
        class Hostile:
            def isfile(self, _):
                return False

            def find(self, root, detail):
                return {f"{root}/../../evil.png": {"size": 1, "name": "x"}}

        monkeypatch.setattr(remote, "_connect", lambda url: (Hostile(), "bucket/a"))
        with pytest.raises(InputError, match=r"evil\.png"):
            open_source("s3://bucket/a", tmp_path)


class TestWebAddress:
    def test_archive_is_downloaded_and_unpacked(self, server, tmp_path):
        url, www = server
        zip_of(www / "pairs.zip", {"in/1.png": b"x"})
        source = open_source(f"{url}/pairs.zip", tmp_path / "raw")
        assert source.files == ("in/1.png",)

    def test_query_is_not_part_of_the_name(self, server, tmp_path):
        url, www = server
        zip_of(www / "pairs.zip", {"in/1.png": b"x"})
        source = open_source(f"{url}/pairs.zip?token=secret", tmp_path / "raw")
        assert "secret" not in source.name

    def test_missing_file_is_an_error(self, server, tmp_path):
        with pytest.raises(InputError, match=r"nothing\.zip cannot be downloaded"):
            open_source(f"{server[0]}/nothing.zip", tmp_path)

    def test_unreachable_server_falls_back_to_the_previous_download(
        self, server, tmp_path, caplog
    ):
        url, www = server
        zip_of(www / "pairs.zip", {"in/1.png": b"x"})
        before = open_source(f"{url}/pairs.zip", tmp_path / "raw")
        (www / "pairs.zip").unlink()
        assert open_source(f"{url}/pairs.zip", tmp_path / "raw") == before
        assert "using the previous download" in caplog.text


def test_password_in_the_url_is_rejected(tmp_path):
    with pytest.raises(InputError, match="password") as error:
        open_source("https://me:secret@host/x.zip", tmp_path)
    assert "secret" not in str(error.value)


def test_unknown_protocol_is_reported(tmp_path):
    with pytest.raises(InputError, match="gopher"):
        open_source("gopher://host/x", tmp_path)


def test_missing_client_is_reported(tmp_path):
    with pytest.raises(InputError, match="s3"):
        open_source("s3://bucket/folder", tmp_path)
