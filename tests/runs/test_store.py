import shutil
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    PERMISSION_DENIED,
    REQUEST_LIMIT_EXCEEDED,
    UNAUTHENTICATED,
)

from image_translation.common.errors import InputError
from image_translation.runs.store import (
    Connection,
    anchor_store,
    check_store,
    require_store,
)


def config(uri, location="mlflow/artifacts"):
    return {
        "server": {"mlflow_tracking_uri": uri},
        "tracking": {
            "experiment": {
                "name": "Default",
                "create_experiment_kwargs": {"artifact_location": location},
            }
        },
    }


def artifact_location(anchored):
    experiment = anchored["tracking"]["experiment"]
    return experiment["create_experiment_kwargs"].get("artifact_location")


def test_local_store_lies_under_the_project(tmp_path):
    anchored = anchor_store(config("sqlite:///mlflow/mlflow.db"), tmp_path)
    expected = f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    assert anchored["server"]["mlflow_tracking_uri"] == expected
    assert artifact_location(anchored) == (tmp_path / "mlflow/artifacts").as_uri()
    assert (tmp_path / "mlflow").is_dir()


def test_absolute_database_stays_where_it_is(tmp_path):
    uri = f"sqlite:///{tmp_path / 'elsewhere' / 'runs.db'}"
    anchored = anchor_store(config(uri), tmp_path / "project")
    assert anchored["server"]["mlflow_tracking_uri"] == uri


def test_server_decides_about_artifacts_itself(tmp_path):
    anchored = anchor_store(config("http://localhost:5000"), tmp_path)
    assert artifact_location(anchored) is None


def test_given_configuration_is_not_changed(tmp_path):
    given = config("sqlite:///mlflow.db")
    anchor_store(given, tmp_path)
    assert given == config("sqlite:///mlflow.db")


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    check_store(f"sqlite:///{path}")
    return path


def test_missing_database_is_created_whole(database):
    assert {path.name for path in database.parent.glob("*mlflow*")} == {
        "mlflow.db",
        ".mlflow.db.lock",
    }
    client = MlflowClient(f"sqlite:///{database}")
    assert client.get_experiment("0").name == "Default"
    assert client.search_registered_models() == []


def test_locations_of_artifacts_follow_a_moved_database(database, tmp_path):
    elsewhere = (tmp_path / "elsewhere").as_uri()
    folders = [tmp_path / name for name in ("old ü", "new")]
    folders[0].mkdir()
    shutil.copy(database, folders[0] / "mlflow.db")
    uris = [f"sqlite:///{folder / 'mlflow.db'}" for folder in folders]
    check_store(uris[0])
    client = MlflowClient(uris[0])
    inside = client.create_experiment(
        "inside", artifact_location=(folders[0] / "artifacts").as_uri()
    )
    outside = client.create_experiment("outside", artifact_location=elsewhere)
    run = client.create_run(inside).info
    folders[0].rename(folders[1])
    check_store(uris[1])
    client = MlflowClient(uris[1])
    here = (folders[1] / "artifacts").as_uri()
    assert client.get_experiment(inside).artifact_location == here
    assert client.get_experiment(outside).artifact_location == elsewhere
    assert client.get_run(run.run_id).info.artifact_uri.startswith(f"{here}/")
    client.log_text(run.run_id, "text", "file.txt")
    assert not folders[0].exists()


def test_database_that_was_being_created_is_created_anew(database, tmp_path):
    (tmp_path / ".mlflow.db.tmp").write_bytes(database.read_bytes()[:50_000])
    (tmp_path / ".mlflow.db.tmp-journal").write_bytes(b"rest")
    check_store(f"sqlite:///{tmp_path}/mlflow.db")
    assert MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").get_experiment("0")
    assert not list(tmp_path.glob(".mlflow.db.tmp*"))


def test_processes_that_need_a_database_at_once_share_it(tmp_path):
    code = (
        "import sys; from image_translation.runs.store import check_store;"
        "check_store(sys.argv[1]); from mlflow import MlflowClient;"
        "print(MlflowClient(sys.argv[1]).get_experiment('0').name)"
    )
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, uri], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.communicate()[0] == "Default\n"
        assert process.returncode == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: b"garbage" * 1000,
        lambda content: content[:100] + b"\xff" * 4000 + content[4100:],
    ],
    ids=["empty", "truncated", "garbage", "overwritten"],
)
def test_damaged_database_is_named(database, tmp_path, damage):
    path = tmp_path / "mlflow.db"
    path.write_bytes(damage(database.read_bytes()))
    with pytest.raises(InputError, match=r"mlflow.db is damaged.*Restore it"):
        check_store(f"sqlite:///{path}")


def test_server_that_is_not_there_is_named_without_credentials():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match=f"127.0.0.1:{port}") as error:
        check_store(f"http://user:secret@127.0.0.1:{port}")
    assert "secret" not in str(error.value)
    assert "mlflow.yml" in str(error.value)


def test_server_with_credentials_in_its_address_is_found():
    class Health(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/health" else 404)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        check_store(f"http://user:secret@127.0.0.1:{server.server_port}/")
        server.shutdown()


def answer(status):
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError("no", response=response)


def test_store_that_a_run_needs_to_begin_is_an_input():
    @require_store
    def begin():
        raise MlflowException("http://user:secret@host says 401")

    with pytest.raises(InputError, match=r"http://host says 401\n.*mlflow\.yml"):
        begin()


@pytest.mark.parametrize(
    ("error", "is_lost"),
    [
        (MlflowException("no", error_code=INVALID_PARAMETER_VALUE), False),
        # a token that has expired: nothing more gets through
        (MlflowException("no", error_code=UNAUTHENTICATED), True),
        (MlflowException("no", error_code=PERMISSION_DENIED), True),
        (MlflowException("no", error_code=REQUEST_LIMIT_EXCEEDED), True),
        (answer(413), False),  # an artifact that a proxy finds too large
        (answer(503), True),
        (requests.ConnectionError("no"), True),
        (FileNotFoundError("report.html"), False),
        (OSError(), True),
    ],
)
def test_store_is_lost_if_sending_the_same_again_later_may_help(error, is_lost):
    connection = Connection()
    connection.note(error)
    assert connection.is_lost is is_lost
    connection.renew()
