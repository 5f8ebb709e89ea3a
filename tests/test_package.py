"""``kedro package`` gives a wheel and a configuration that run in any folder."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from kedro.framework.cli import project as kedro_project
from kedro.framework.startup import bootstrap_project
from mlflow import MlflowClient

from tests.conftest import ENVIRONMENT, PROJECT, copy_project, only

LITTLE = [
    only("unet"),
    "training.epochs=1",
    "report.gallery=1",
    "report.blind_questions=0",
]


@pytest.fixture(scope="module")
def packaged(tmp_path_factory) -> Path:
    """What ``kedro package`` puts into ``dist``."""
    project = copy_project(tmp_path_factory.mktemp("package"))
    (project / "conf/local/credentials.yml").write_text("secret: s3cret\n", "utf-8")

    def call(command: list[str], **options) -> None:
        # An isolated build would fetch setuptools.
        isolated = ["--no-isolation"] if "build" in command else []
        subprocess.run([*command, *isolated], check=True, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.setattr(kedro_project, "call", call)
        metadata = bootstrap_project(project)
        result = CliRunner().invoke(kedro_project.package, obj=metadata)
    assert result.exit_code == 0, result.output
    return project / "dist"


@pytest.fixture(scope="module")
def installed(packaged, tmp_path_factory) -> Path:
    """The wheel, installed into a folder of its own."""
    target = tmp_path_factory.mktemp("site packages")
    (wheel,) = packaged.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True)
    return target


def test_wheel_holds_the_whole_package_and_nothing_else(packaged):
    (wheel,) = packaged.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    source = PROJECT / "src"
    expected = {
        path.relative_to(source).as_posix()
        for path in (source / "image_translation").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if ".dist-info/" not in name} == expected


def test_configuration_leaves_the_users_own_at_home(packaged, tmp_path):
    shutil.unpack_archive(packaged / "conf-image_translation.tar.gz", tmp_path)
    assert (tmp_path / "conf/base/parameters.yml").is_file()
    assert (tmp_path / "conf/smoke/globals.yml").is_file()
    assert not list(tmp_path.rglob("credentials*"))


def test_installed_command_runs_in_an_empty_folder(packaged, installed, tmp_path):
    before = files_of(installed)
    folder = tmp_path / "anywhere"
    folder.mkdir()
    result = subprocess.run(
        [
            str(installed / "bin/image-translation"),
            "--pipeline=colorization",
            "--env=smoke",
            f"--conf-source={packaged / 'conf-image_translation.tar.gz'}",
            f"--params={','.join(LITTLE)}",
        ],
        cwd=folder,
        env={**ENVIRONMENT, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    data = folder / "data/smoke"
    assert [path.name for path in folder.iterdir()] == ["data"]
    assert [path.name for path in (folder / "data").iterdir()] == ["smoke"]
    assert files_of(installed) == before

    reporting = data / "08_reporting/colorization"
    comparison = pd.read_csv(reporting / "comparison.csv").set_index("model")
    assert (comparison.loc["unet", "n_images"] > 0).all()
    html = (reporting / "report.html").read_text("utf-8")
    gallery = (installed / "image_translation/reporting/gallery.js").read_text("utf-8")
    assert gallery.strip() in html

    client = MlflowClient(f"sqlite:///{data}/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("colorization")
    assert experiment.artifact_location.startswith(data.as_uri())
    assert len(client.search_runs([experiment.experiment_id])) == 2


def files_of(folder: Path) -> set[Path]:
    """All files but those that follow from the source."""
    return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}
