import pytest

from image_translation import pipeline_registry
from image_translation.cli.options import choose_task
from image_translation.common.errors import InputError
from image_translation.config.data_sets import check_name, declare_data_sets
from image_translation.config.parameters import LayeredConfigLoader
from image_translation.pipeline_registry import TASKS, all_tasks, declare_tasks
from tests.conftest import PROJECT


@pytest.fixture(autouse=True)
def no_own_tasks(monkeypatch):
    monkeypatch.setattr(pipeline_registry, "_own", {})


def test_files_and_prepared_data_declare_data_sets(tmp_path):
    data_sets = tmp_path / "conf/base/data_sets"
    data_sets.mkdir(parents=True)
    (data_sets / "parameters_faces.yml").write_text("faces: {}")
    (tmp_path / "conf/smoke").mkdir()
    (tmp_path / "conf/smoke/globals.yml").write_text("data: elsewhere")
    for name in ("cats", "colorization", "not a name", "empty"):
        folder = tmp_path / "elsewhere/02_intermediate" / name
        folder.mkdir(parents=True)
        if name != "empty":
            (folder / "manifest.csv").touch()
    declare_data_sets(tmp_path)
    assert all_tasks() == (*TASKS, "faces", "cats")


def test_data_set_has_the_parameters_of_custom_and_its_own():
    declare_tasks(["faces"])
    params = {
        "custom": {"training": {"epochs": "3", "seed": "5"}},
        "faces": {"source": "pairs", "unet": {"training": {"epochs": "4"}}},
    }
    loader = LayeredConfigLoader(
        str(PROJECT / "conf"),
        env="smoke",
        base_env="base",
        default_run_env="local",
        runtime_params=params,
    )
    parameters = loader["parameters"]
    faces = parameters["faces"]
    assert faces.pairing.layout == "two_folders"
    assert faces.source.endswith("pairs") and parameters["custom"].source is None
    assert faces.unet.training.epochs == 4 and faces.pix2pix.training.epochs == 3
    assert faces.unet.training.seed == 5


def test_wrong_value_of_a_data_set_names_the_parameter_and_the_layer():
    declare_tasks(["faces"])
    loader = LayeredConfigLoader(
        str(PROJECT / "conf"),
        base_env="base",
        default_run_env="smoke",
        runtime_params={"custom": {"training": {"epochs": "no"}}},
    )
    with pytest.raises(InputError, match=r"custom\.training\.epochs.*set in --params"):
        loader["parameters"]


def test_name_replaces_the_pipeline():
    options = {"pipeline": "custom", "params": {"name": "faces", "seed": "1"}}
    chosen = choose_task(options)
    assert chosen["pipeline"] == "faces" and chosen["params"] == {"seed": "1"}
    assert "faces" in all_tasks()
    assert "faces" in pipeline_registry.register_pipelines()


def test_name_is_for_the_pipeline_custom_alone():
    with pytest.raises(Exception, match="pass task=faces"):
        choose_task({"pipeline": "translate", "params": {"name": "faces"}})


@pytest.mark.parametrize("name", ["Faces", "my faces", "a/b", "..", "_x", "", "1a"])
def test_other_names_are_rejected(name):
    with pytest.raises(InputError, match="lower-case letters"):
        check_name(name)


@pytest.mark.parametrize("name", ["monet", "translate", "unet", "training", "summary"])
def test_used_names_are_rejected(name):
    with pytest.raises(InputError, match="already in use"):
        check_name(name)


def test_names_of_other_scripts_are_accepted():
    check_name("얼굴")
