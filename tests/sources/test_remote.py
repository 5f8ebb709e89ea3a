import functools
import http.server
import logging
import os
import threading
import time
import uuid

import fsspec
import pytest

from image_translation.common.errors import InputError
from image_translation.sources import limits, open_source, remote
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


def left(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


class Hostile(http.server.BaseHTTPRequestHandler):
    """Sends 1 MiB under any address, in different ways."""

    protocol_version = "HTTP/1.0"

    def log_message(self, *_): ...

    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        self.send_response(200)
        if "declared" in self.path:
            self.send_header("Content-Length", str(1 << 20))
        if "cut" in self.path:
            self.send_header("Content-Length", str(1 << 21))
        self.end_headers()
        try:
            if "slow" in self.path:
                for _ in range(300):
                    self.wfile.write(b"x")
                    time.sleep(0.1)
            else:
                self.wfile.write(bytes(1 << 20))
        except OSError:
            pass


@pytest.fixture
def hostile():
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


class TestLimits:
    @pytest.mark.parametrize("name", ["declared", "undeclared-chunks"])
    def test_large_download_is_stopped(self, hostile, tmp_path, monkeypatch, name):
        monkeypatch.setattr(limits, "MAX_BYTES", 1000)
        with pytest.raises(InputError, match=r"is larger than.*pass the folder"):
            open_source(f"{hostile}/{name}.zip", tmp_path / "raw")
        assert not left(tmp_path)

    def test_slow_download_is_stopped(self, hostile, tmp_path, monkeypatch):
        monkeypatch.setattr(limits, "MAX_SECONDS", 1)
        start = time.monotonic()
        with pytest.raises(InputError, match=r"takes longer|cannot be downloaded"):
            open_source(f"{hostile}/slow.zip", tmp_path / "raw")
        assert time.monotonic() - start < 10
        assert not left(tmp_path)

    def test_cut_off_download_leaves_nothing(self, hostile, tmp_path):
        with pytest.raises(InputError, match="cannot be downloaded"):
            open_source(f"{hostile}/cut.zip", tmp_path / "raw")
        assert not left(tmp_path)

    def test_large_folder_is_stopped(self, bucket, tmp_path, monkeypatch):
        monkeypatch.setattr(limits, "MAX_BYTES", 5)
        with pytest.raises(InputError, match="is larger than"):
            open_source(bucket[0], tmp_path / "raw")
        assert not left(tmp_path)

    def test_file_larger_than_declared_is_stopped(self, bucket, tmp_path, monkeypatch):
        monkeypatch.setattr(limits, "MAX_BYTES", 7)
        monkeypatch.setattr(remote, "_check_declared", lambda *_: None)
        bucket[1]("in/3.png", bytes(100))
        with pytest.raises(InputError, match="is larger than"):
            open_source(bucket[0], tmp_path / "raw")
        assert not left(tmp_path)

    def test_many_files_are_rejected(self, bucket, tmp_path, monkeypatch):
        monkeypatch.setattr(limits, "MAX_FILES", 1)
        with pytest.raises(InputError, match="more than 1 files"):
            open_source(bucket[0], tmp_path / "raw")

    def test_client_that_waits_for_ever_is_stopped(self, tmp_path, monkeypatch):
        monkeypatch.setattr(limits, "MAX_SECONDS", 0.2)
        monkeypatch.setattr(remote, "_connect", lambda url: time.sleep(3))
        with pytest.raises(InputError, match="takes longer than"):
            open_source("s3://bucket/a", tmp_path)


class TestNewerVersion:
    def fail(self, *_):
        raise OSError("connection lost")

    def test_old_files_stay_until_it_is_whole(self, bucket, tmp_path, monkeypatch):
        url, put = bucket
        root = open_source(url, tmp_path).root
        put("in/1.png", b"changed")
        put("in/3.png", b"new")
        fsspec.filesystem("memory").rm(url.removeprefix("memory:/") + "/in/é 2.png")
        with monkeypatch.context() as patch:
            patch.setattr(remote, "_fetch_batch", self.fail)
            assert open_source(url, tmp_path).files == ("in/1.png", "in/é 2.png")
        assert (root / "in/1.png").read_bytes() == b"one"
        assert open_source(url, tmp_path).files == ("in/1.png", "in/3.png")
        assert (root / "in/1.png").read_bytes() == b"changed"

    def test_too_large_one_keeps_the_old_files(self, bucket, tmp_path, monkeypatch):
        url, put = bucket
        root = open_source(url, tmp_path).root
        put("in/1.png", bytes(100))
        monkeypatch.setattr(limits, "MAX_BYTES", 50)
        with pytest.raises(InputError, match="is larger than"):
            open_source(url, tmp_path)
        assert (root / "in/1.png").read_bytes() == b"one"

    def test_process_that_ended_while_replacing(self, bucket, tmp_path):
        root = open_source(bucket[0], tmp_path).root
        root.replace(root.parent / "previous")
        assert open_source(bucket[0], tmp_path).files == ("in/1.png", "in/é 2.png")


def test_special_files_of_a_local_url_are_skipped(tmp_path, caplog):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.png").write_bytes(b"x")
    (tmp_path / "a/2.png").symlink_to("1.png")
    (tmp_path / "a/3.png").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "a/4.png")
    source = open_source(f"file://{tmp_path}/a", tmp_path / "raw")
    assert source.files == ("1.png", "2.png")
    assert "ignoring 2 entries, not regular files" in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "https://me:secret@host/x.zip",
        "https://secret@host/x.zip",
        "HTTPS://secret@host/x.zip",
        "https://me:se/secret@host/x.zip",
        "https://me:a secret@host/x.zip",
        "ftp://me:secret@host/x.zip",
        "simplecache::https://secret@host/x.zip",
        "zip://*.png::https://me:secret@host/x.zip?sig=secret",
    ],
)
def test_password_or_token_in_the_url_is_rejected(tmp_path, url):
    with pytest.raises(InputError, match="password or token") as error:
        open_source(url, tmp_path)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("name", ["x.zip", "missing.zip"])
def test_signature_of_a_url_is_never_shown(server, tmp_path, caplog, name):
    url, www = server
    caplog.set_level(logging.INFO)
    zip_of(www / "x.zip", {"in/1.png": b"x"})
    signed = f"{url}/{name}?X-Amz-Signature=secret&b=a@secret:'secret secret"
    try:
        shown = repr(open_source(signed, tmp_path / "raw").name)
        (www / name).unlink()
        open_source(signed, tmp_path / "raw")
    except InputError as error:
        shown = str(error)
    assert name in shown
    assert "secret" not in shown + caplog.text


def test_signature_of_an_unreachable_server_is_never_shown(tmp_path):
    with pytest.raises(InputError) as error:
        open_source("http://127.0.0.1:9/x.zip?sig=secret", tmp_path)
    assert "secret" not in str(error.value)


def test_user_of_another_file_system_is_allowed(tmp_path):
    assert not remote._has_credentials("sftp://user@host/photographs")
    assert not remote._has_credentials("abfs://container@account.host/photographs")
    assert not remote._has_credentials("https://host:443/photo@2x.png?a=b:c@d")


def test_unknown_protocol_is_reported(tmp_path):
    with pytest.raises(InputError, match="gopher"):
        open_source("gopher://host/x", tmp_path)


def test_missing_client_is_reported(tmp_path):
    with pytest.raises(InputError, match="s3"):
        open_source("s3://bucket/folder", tmp_path)
