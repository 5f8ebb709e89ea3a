"""Secrets stay where they were written: in no output, and in no log line."""

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import copy_project, only

PASSWORD, SIGNATURE, TOKEN = "hunter2-kY7", "sig-9QdX4f", "tok-5HmZ8w"
PARAMETERS = """
custom:
  source: {address}
  pairing: {{input: input, target: target}}
  tuning:
    storage: postgresql+psycopg2://me:{password}@127.0.0.1:1/optuna
"""


class Handler(SimpleHTTPRequestHandler):
    """Serves an archive to those who sign; is silent."""

    def do_GET(self) -> None:
        if f"X-Amz-Signature={SIGNATURE}" in self.path:
            super().do_GET()
        else:
            self.send_error(403)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def address(tmp_path):
    """A signed address of pairs."""
    pairs = tmp_path / "served/pairs"
    for folder in ("input", "target"):
        (pairs / folder).mkdir(parents=True)
        for number in range(12):
            shade = (20 * number, 255 - 20 * number, 90 if folder == "input" else 200)
            image = Image.linear_gradient("L").resize((40, 40)).rotate(30 * number)
            tinted = Image.composite(
                Image.new("RGB", (40, 40), shade), Image.new("RGB", (40, 40)), image
            )
            tinted.save(pairs / folder / f"{number}.png")
    shutil.make_archive(str(pairs), "zip", pairs)
    handler = partial(Handler, directory=str(pairs.parent))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/pairs.zip?X-Amz-Signature={SIGNATURE}"
    server.shutdown()


def leaks(folder: Path) -> list[str]:
    secrets = [secret.encode() for secret in (PASSWORD, SIGNATURE, TOKEN)]
    return [
        f"{file.relative_to(folder)}: {secret.decode()}"
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        for secret in secrets
        if secret in file.read_bytes()
    ]


def test_planted_secrets_occur_in_no_output_and_no_log(
    tmp_path, kedro, address, empty_database
):
    project = tmp_path / "project"
    project.mkdir()
    copy_project(project, empty_database)
    parameters = project / "conf/smoke/parameters_custom.yml"
    parameters.write_text(PARAMETERS.format(password=PASSWORD, address=address))
    run = ("run", "--env=smoke", "--pipeline=custom")
    logs = []
    for command, code in (
        ((*run, "--params", only()), 0),
        ((*run, "--params", f"source=https://{TOKEN}@127.0.0.1:1/x.zip"), 3),
        ((*run, "--params", f"source=http://127.0.0.1:1/x.zip?token={TOKEN}"), 3),
        (("run", "--env=smoke", "--pipeline=tuning", "--params=task=custom"), 3),
        (("site", "--env=smoke", "--output", str(project / "site")), 0),
    ):
        result = kedro(project, *command)
        output = result.stdout + result.stderr
        assert result.returncode == code, output
        logs.append(output)
    shutil.rmtree(project / "conf")
    assert leaks(project) == []
    for secret in (PASSWORD, SIGNATURE, TOKEN):
        assert not [log for log in logs if secret in log]


def test_report_shows_no_folder_of_the_machine(smoke_project):
    reporting = smoke_project / "data/smoke/08_reporting"
    for page in reporting.rglob("*.html"):
        assert str(smoke_project.parent) not in page.read_text("utf-8"), page.name
