import mlflow
import pytest
from mlflow import MlflowClient

from image_translation.tracking.store import connection


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of its own with an experiment; making its tables takes seconds."""
    folder = tmp_path_factory.mktemp("store")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    location = (folder / "artifacts").as_uri()
    connection.renew()
    yield MlflowClient().create_experiment("colorization", artifact_location=location)
    mlflow.set_tracking_uri(before)
