"""The app as a user starts it, with clients other than a browser."""

import html
import io
import itertools
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from image_translation.app import server
from image_translation.common.errors import InputError
from image_translation.runs.exit_codes import ExitCode
from tests.app.conftest import free_port, running_app
from tests.conftest import move_project

MEGABYTE = 10**6
BOUNDARY = "a-boundary"


@pytest.fixture(scope="module")
def project(smoke_project, tmp_path_factory) -> Path:
    return move_project(smoke_project, tmp_path_factory.mktemp("app"))


@pytest.fixture(scope="module")
def temporary(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def url(project, temporary) -> Iterator[str]:
    with running_app(project, temporary) as (address, _):
        yield address


def make_photo(folder: Path, width: int) -> Path:
    pixels = np.random.default_rng(width).integers(0, 256, (40, width, 3), np.uint8)
    path = folder / f"photo {width}.png"
    Image.fromarray(pixels).save(path)
    return path


def ask(client: Client, photo: Path, models=("champion",)):
    return client.submit(
        "colorization", list(models), handle_file(photo), api_name="/translate"
    )


def results(answer, url: str) -> list[tuple[str, Image.Image]]:
    """Names and contents of the files in a response."""
    page = html.unescape(answer[2])
    links = re.findall(r'class="download" href="([^"]+)" download="([^"]+)"', page)
    return [
        (name, Image.open(io.BytesIO(httpx.get(f"{url}{link}").content)))
        for link, name in links
    ]


def upload_body(size: int) -> Iterator[bytes]:
    """A file of zeros in a form, a megabyte at a time."""
    yield (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; '
        'filename="large.png"\r\nContent-Type: image/png\r\n\r\n'
    ).encode()
    for _ in range(size // MEGABYTE):
        yield bytes(MEGABYTE)
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


def lives(url: str) -> bool:
    return httpx.get(url).status_code == 200


def test_every_selected_model_translates_at_full_size(url, tmp_path):
    photo = make_photo(tmp_path, 70)
    client = Client(url, verbose=False)
    models = ("champion", "unet", "pix2pix")
    made = results(ask(client, photo, models).result(120), url)
    assert [image.size for _, image in made] == [(70, 40)] * 3
    assert [name for name, _ in made][1:] == [
        "photo 70-unet.png",
        "photo 70-pix2pix.png",
    ]


def test_upload_of_200_mb_is_rejected(url):
    length = sum(map(len, upload_body(200 * MEGABYTE)))
    answer = httpx.post(
        f"{url}gradio_api/upload",
        content=upload_body(200 * MEGABYTE),
        headers={
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "Content-Length": str(length),
        },
        timeout=120,
    )
    assert answer.status_code == 413
    assert "larger than 100 MB" in answer.text
    assert lives(url)


def test_upload_without_a_length_is_limited(url, temporary):
    try:
        answer = httpx.post(
            f"{url}gradio_api/upload",
            content=upload_body(200 * MEGABYTE),
            headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
            timeout=120,
        )
        assert answer.status_code == 413
    except httpx.TransportError:
        pass  # connection closed during the upload
    assert lives(url)
    sizes = [file.stat().st_size for file in temporary.rglob("*") if file.is_file()]
    assert max(sizes, default=0) < 50 * MEGABYTE


def test_text_file_named_png_is_rejected(url, tmp_path):
    (tmp_path / "notes.png").write_text("Dear diary, no photograph today.\n" * 9)
    client = Client(url, verbose=False)
    with pytest.raises(
        AppError, match=r"notes\.png cannot be translated: not an image"
    ):
        ask(client, tmp_path / "notes.png").result(60)
    assert lives(url)


def test_20_concurrent_requests_get_their_own_results(url, tmp_path):
    client = Client(url, verbose=False)
    photos = {width: make_photo(tmp_path, width) for width in range(40, 60)}
    jobs = {width: ask(client, photo) for width, photo in photos.items()}
    for width, job in jobs.items():
        ((name, image),) = results(job.result(300), url)
        assert (name, image.size) == (f"photo {width}-residual_unet.png", (width, 40))


def test_dns_rebinding_is_rejected(url):
    for headers in ({"Host": "evil.example:7860"}, {"Origin": "http://evil.example"}):
        for path in ("", "config", "gradio_api/info"):
            answer = httpx.get(f"{url}{path}", headers=headers)
            assert answer.status_code == 403, (path, headers)
            assert "access-control-allow-origin" not in answer.headers


def test_other_pages_may_neither_ask_nor_upload(url):
    other = {"Origin": "http://evil.example"}
    ask_first = {"Access-Control-Request-Method": "POST"}
    for path in ("gradio_api/upload", "gradio_api/queue/join"):
        answers = [
            httpx.options(f"{url}{path}", headers=other | ask_first),
            httpx.post(f"{url}{path}", files={"files": b"x"}, headers=other),
        ]
        for answer in answers:
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
    own = {"Origin": url.rstrip("/")}
    answer = httpx.post(f"{url}gradio_api/upload", files={"files": b"x"}, headers=own)
    assert answer.status_code == 200


def test_large_message_without_a_length_is_rejected(url):
    def body():
        yield b'{"data": ["'
        for _ in range(100):
            yield b"x" * MEGABYTE
        yield b'"]}'

    answer = httpx.post(
        f"{url}gradio_api/call/translate",
        content=body(),
        headers={"Content-Type": "application/json"},
        timeout=60,
    )
    assert answer.status_code == 413
    assert lives(url)


def test_upload_that_is_cut_off_is_deleted(url, temporary):
    def body():
        yield from itertools.islice(upload_body(90 * MEGABYTE), 60)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        httpx.post(
            f"{url}gradio_api/upload",
            content=body(),
            headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
        )
    for _ in range(100):
        sizes = [f.stat().st_size for f in temporary.rglob("*") if f.is_file()]
        if max(sizes) < 20 * MEGABYTE:
            break
        time.sleep(0.1)
    assert max(sizes) < 20 * MEGABYTE


def test_other_files_are_inaccessible(url, project):
    for path in (project / "pyproject.toml", "/etc/passwd"):
        answer = httpx.get(f"{url}gradio_api/file={path}")
        assert answer.status_code in (403, 404), path


def test_source_tree_is_left_alone(url, project):
    assert lives(url)
    assert not list((project / "src").rglob("*.pyi"))


def test_files_are_deleted_when_the_app_stops(project, tmp_path):
    (tmp_path / "temporary").mkdir()
    photo = make_photo(tmp_path, 50)
    with running_app(project, tmp_path / "temporary") as (url, process):
        answer = ask(Client(url, verbose=False), photo).result(120)
        (link,) = re.findall(
            r'class="download" href="gradio_api/file=([^"]+)"', answer[2]
        )
        kept = Path(unquote(html.unescape(link)))
        assert kept.is_file() and tmp_path in kept.parents
    assert process.returncode == ExitCode.TERMINATED
    left = [p for p in (tmp_path / "temporary").rglob("*") if p.name != "log"]
    assert left == []


def test_files_of_a_killed_app_are_deleted_at_the_next_start(
    project, tmp_path, monkeypatch
):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with running_app(project, temporary) as (url, process):
        httpx.post(f"{url}gradio_api/upload", files={"files": b"x" * 1000})
        process.kill()
        process.wait()
    (killed,) = temporary.glob("image-translation-*")
    assert any(path.stat().st_size == 1000 for path in killed.rglob("*"))
    (temporary / "image-translation-other").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with server._own_folder() as first:
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        with server._own_folder():
            pass
        assert not killed.exists()
        assert first.exists()
    left = [path.name for path in temporary.iterdir() if path.name != "log"]
    assert left == ["image-translation-other"]


def test_used_port_is_an_error(url, project, kedro):
    port = url.rstrip("/").rpartition(":")[2]
    result = kedro(project, "app", "--env=smoke", f"--port={port}")
    assert result.returncode == 3
    assert f"--port: {port} cannot be used at 127.0.0.1; pass another" in result.stderr
    assert "Traceback" not in result.stderr


def test_missing_gradio_is_an_error_with_the_remedy(monkeypatch):
    monkeypatch.setattr(server, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install -e \"\.\[app\]\""):
        server.serve(None, "127.0.0.1", free_port(), lambda url: None)  # type: ignore[arg-type]
