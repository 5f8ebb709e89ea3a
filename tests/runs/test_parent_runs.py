import re

import pytest
from mlflow import MlflowClient

from image_translation.runs.parent_runs import KEY_TAG, begin_parent
from image_translation.runs.store import connection


@pytest.fixture
def client(store):
    connection.renew()
    yield MlflowClient()
    connection.renew()


@pytest.fixture
def begun(store, client):
    return begin_parent(store, "colorization", "night 1", None)


def test_run_can_be_found_by_its_key(client, begun):
    run = client.get_run(begun)
    assert run.info.status == "RUNNING"
    assert re.fullmatch(r"colorization \d{4}-\d\d-\d\d \d\d:\d\d", run.info.run_name)
    assert run.data.tags[KEY_TAG] == "night 1"


def test_run_that_is_known_goes_on(store, client, begun):
    client.set_terminated(begun, "FAILED")
    assert begin_parent(store, "colorization", "night 1", begun) == begun
    assert client.get_run(begun).info.status == "RUNNING"


def test_same_key_on_another_machine_is_another_run(store, begun):
    assert begin_parent(store, "colorization", "night 1", None) != begun


def test_run_that_the_store_has_no_more_is_begun_anew(store, client, begun):
    client.delete_run(begun)
    for gone in (begun, "0" * 32):
        run_id = begin_parent(store, "colorization", "night 1", gone)
        assert run_id != gone
        assert client.get_run(run_id).info.status == "RUNNING"
