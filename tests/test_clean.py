"""``kedro clean`` in a project with several runs; registry/test_retention.py has more."""

from mlflow import MlflowClient
from PIL import Image

from tests.conftest import move_project, only

TASK = ("--task=colorization", "--env=smoke")


def test_cleaned_project_lacks_nothing(smoke_project, kedro, tmp_path):
    project = move_project(smoke_project, tmp_path)
    data = project / "data/smoke"

    def succeed(*command: str) -> str:
        result = kedro(project, *command)
        assert result.returncode == 0, result.stderr
        return result.stdout + result.stderr

    def count_files() -> int:
        return sum(path.is_file() for path in data.rglob("*"))

    changed = f"--params=training.seed=5,{only('unet')}"
    run = ("run", "--pipeline=colorization", "--env=smoke", changed)
    succeed(*run)
    assert len(list((data / "02_intermediate/colorization/runs").iterdir())) == 1
    before = count_files()
    listed = succeed("clean", *TASK, "--keep=0", "--dry-run")
    assert count_files() == before
    removed = succeed("clean", *TASK, "--keep=0")
    assert removed == listed.replace("Would remove", "Removed")
    assert "MLflow run unet replicate 0" in removed
    assert count_files() < before
    assert "0 nodes had new results" in succeed(*run)

    succeed("promote", *TASK, "--version=2")
    assert "Nothing to remove" in succeed("clean", *TASK)
    assert "rolled back to version 1" in succeed("rollback", *TASK)
    Image.new("L", (40, 30), 90).save(tmp_path / "grey.png")
    places = f"input={tmp_path / 'grey.png'},output={tmp_path / 'out'}"
    translate = ("run", "--pipeline=translate", "--env=smoke")
    succeed(*translate, f"--params=task=colorization,{places}")
    assert (tmp_path / "out/grey.png").is_file()
    client = MlflowClient(f"sqlite:///{data}/mlflow/mlflow.db")
    version = client.get_model_version_by_alias("colorization", "champion")
    assert client.get_run(version.run_id).info.status == "FINISHED"
