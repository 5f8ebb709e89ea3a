import shutil
from pathlib import Path

import pytest

from image_translation import pipeline_registry
from image_translation.common.errors import InputError
from image_translation.config.parameters import (
    ALL_MODELS,
    COMMON_SECTIONS,
    Layer,
    LayeredConfigLoader,
)
from image_translation.config.parameters import resolve_parameters as resolve
from image_translation.metrics import METRICS
from image_translation.pipeline_registry import (
    TASKS,
    all_models,
    register_pipelines,
)
from tests.conftest import ON_BY_DEFAULT, PROJECT


@pytest.fixture
def conf(tmp_path):
    """A copy of the project's configuration, without what the user keeps there."""
    ignored = shutil.ignore_patterns("local")
    shutil.copytree(PROJECT / "conf", tmp_path / "conf", ignore=ignored)
    (tmp_path / "conf" / "local").mkdir()
    return tmp_path / "conf"


def load(conf, env=None, **runtime):
    loader = LayeredConfigLoader(
        str(conf),
        env=env,
        base_env="base",
        default_run_env="local",
        runtime_params=runtime,
    )
    return loader["parameters"]


def epochs(parameters, task="colorization", model="pix2pix"):
    return parameters[task].models[model].training.epochs


def test_base_is_complete_for_every_task_and_model(conf):
    parameters = load(conf)
    assert set(parameters) == {*TASKS, *COMMON_SECTIONS}
    assert all(set(parameters[task].models) == set(ALL_MODELS) for task in TASKS)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, []),
        ({"ensemble": "false"}, []),
        ({"ensemble": "true"}, list(ON_BY_DEFAULT)),
        ({"models": {"unet": {"ensemble": "true"}}}, ["unet"]),
        ({"monet": {"unet": {"ensemble": "on"}, "ensemble": "no"}}, ["unet"]),
        ({"monet": {"ensemble": "true"}}, list(ON_BY_DEFAULT)),
    ],
)
def test_pipelines_have_the_ensembles_that_a_layer_switches_on(
    conf, monkeypatch, given, expected
):
    monkeypatch.setattr(pipeline_registry, "_ensembled", {})
    parameters = load(conf, **given)
    found = [name for name in all_models() if name.endswith("_ensemble")]
    assert found == [f"{name}_ensemble" for name in expected]
    on = parameters["monet"].models.keys() & set(found)
    assert on == set(found)
    nodes = register_pipelines()["monet"].nodes
    assert {n.namespace for n in nodes if "combine" in n.name} == {
        f"monet.{name}" for name in found
    }


@pytest.mark.parametrize(
    ("given", "is_there"),
    [
        ({}, False),
        ({"models": {"unet": {"enabled": "true"}}}, False),
        ({"models": {"vivid_unet": {"enabled": "off"}}}, False),
        ({"models": {"vivid_unet": {"enabled": "true"}}}, True),
        ({"colorization": {"vivid_unet": {"enabled": "true"}}}, True),
    ],
)
def test_pipelines_have_an_optional_model_that_a_layer_switches_on(
    conf, monkeypatch, given, is_there
):
    monkeypatch.setattr(pipeline_registry, "_optional", {})
    load(conf, **given)
    assert ("vivid_unet" in all_models()) == is_there
    assert {*ON_BY_DEFAULT} <= {*all_models()}


@pytest.mark.parametrize("model", ALL_MODELS)
def test_environment_reaches_every_model(conf, model):
    (conf / "local" / "parameters.yml").write_text("training:\n  epochs: 7\n")
    assert epochs(load(conf, "smoke"), model=model) == 2
    assert epochs(load(conf), model=model) == 7


def test_seal_is_set_for_all_tasks_or_for_one(conf):
    assert not load(conf)["monet"].test.sealed
    runtime = {"test": {"sealed": "true"}, "monet": {"test": {"sealed": "false"}}}
    parameters = load(conf, **runtime)
    assert parameters["cartoon"].test.sealed
    assert not parameters["monet"].test.sealed
    with pytest.raises(InputError, match=r"test\.sealed: .*not 'perhaps'"):
        load(conf, test={"sealed": "perhaps"})


@pytest.mark.parametrize("model", ALL_MODELS)
def test_command_line_reaches_every_model_over_any_environment(conf, model):
    assert epochs(load(conf, "smoke", training={"epochs": "5"}), model=model) == 5


@pytest.mark.parametrize(
    ("base", "environment", "command_line", "expected"),
    [
        ({"training": 1}, {}, {}, 1),
        ({"training": 1, "colorization": 2}, {}, {}, 2),
        ({"training": 1, "colorization": 2, "colorization.unet": 3}, {}, {}, 3),
        ({"colorization.unet": 3}, {"training": 4}, {}, 4),
        ({"colorization.unet": 3}, {"training": 4, "colorization": 5}, {}, 5),
        ({}, {"colorization": 5, "colorization.unet": 6}, {}, 6),
        ({}, {"colorization.unet": 6}, {"training": 7}, 7),
        ({}, {"colorization.unet": 6}, {"training": 7, "colorization": 8}, 8),
        ({}, {}, {"colorization": 8, "colorization.unet": 9}, 9),
        ({}, {}, {"training": 7, "models.unet": 8}, 8),
        ({}, {}, {"models.unet": 8, "colorization.models.unet": 9}, 9),
    ],
)
def test_precedence(conf, base, environment, command_line, expected):
    def layer(name, values):
        block = {}
        for scope, value in values.items():
            inner = block
            for part in scope.split(".") if scope != "training" else ():
                inner = inner.setdefault(part, {})
            inner["training"] = {"epochs": value}
        return Layer(name, block)

    defaults = Layer("defaults", _shared_defaults(conf))
    layers = [
        layer("base", base),
        layer("env", environment),
        layer("cli", command_line),
    ]
    assert epochs(resolve([defaults, *layers]), model="unet") == expected


def _shared_defaults(conf):
    loader = LayeredConfigLoader(str(conf), base_env="base", default_run_env="local")
    return loader._read_parameters("base")


def test_one_model_of_one_task_alone_is_reached(conf):
    runtime = {"colorization": {"pix2pix": {"training": {"epochs": "5"}}}}
    parameters = load(conf, "smoke", **runtime)
    assert epochs(parameters) == 5
    assert epochs(parameters, model="unet") == 2
    assert epochs(parameters, task="custom") == 2


@pytest.mark.parametrize(
    ("runtime", "message"),
    [
        (
            {"trainin": {"epochs": "5"}},
            "trainin: no such parameter .*Did you mean training",
        ),
        ({"training": {"epoch": "5"}}, "training.epoch: no such.*training.epochs"),
        ({"colorization": {"pix2pi": {}}}, "colorization.pix2pi: no such"),
        ({"models": {"pix3pix": {}}}, "models.pix3pix: .*models.pix2pix"),
        (
            {"models": {"unet": {"predictions": "folder"}}},
            "models.unet.predictions: no such .*name that of the predictions anew",
        ),
        (
            {"models": {"my-model": {"predictions": "folder"}}},
            "models.my-model: no such .*letters, digits and _",
        ),
        (
            {"training": {"epochs": "0"}},
            "training.epochs: .*greater than or equal to 1",
        ),
        ({"training": {"epochs": "many"}}, "training.epochs: .*integer"),
        ({"training": "5"}, "training: .*not '5'"),
        ({"app": {"max_seconds": "0"}}, r"app.max_seconds: .*\(set in --params\)"),
        ({"monet": {"app": {"max_seconds": "9"}}}, "monet.app: no such"),
        ({"monet": {"name": "mine"}}, "monet.name: no such"),
        ({"preparation": {"image_size": "65"}}, "preparation.image_size: .*64"),
        (
            {"splitting": {"fractions": {"test": "0.5"}}},
            "splitting.fractions: .*sum to 1",
        ),
        (
            {"custom": {"unet": {"network": {"name": "vit"}}}},
            r"custom.unet.network.name: .*'autoencoder'.*\(set in --params\)",
        ),
        (
            {"models": {"unet": {"network": {"levels": "8"}}}},
            r"models.unet.network.levels: .* most 7 for images of 128 .*set in --params",
        ),
        (
            {"network": {"levels": "8"}},
            r"network.levels: must be at most 7 for images of 128 pixels",
        ),
        (
            {"network": {"output": "hsv"}},
            "network.output: .*'rgb', 'residual', 'lab', 'ycbcr', 'classes' or 'auto'",
        ),
        (
            {"models": {"unet": {"objective": {"feature_matching": "10"}}}},
            "unet.objective: feature_matching needs .* set adversarial above 0",
        ),
    ],
)
def test_wrong_parameter_is_named_with_the_remedy(conf, runtime, message):
    with pytest.raises(InputError, match=message):
        load(conf, **runtime)


def test_misspelt_name_in_an_environment_is_an_error(conf):
    (conf / "local" / "parameters.yml").write_text("training:\n  epoch: 7\n")
    with pytest.raises(InputError, match=r"training.epoch: .*conf/local"):
        load(conf)


def test_all_problems_are_named_at_once_and_each_once(conf):
    with pytest.raises(InputError) as error:
        load(conf, training={"epochs": "0", "batch_size": "0"})
    assert str(error.value).count("training.epochs") == 1
    assert "training.batch_size" in str(error.value)


@pytest.mark.parametrize("name", ["2024", "on", "007", "1e3", "yes", "12_30"])
def test_folder_names_stay_text(conf, name):
    (conf / "local" / "parameters.yml").write_text(
        f"custom:\n  source: {name}\n  pairing:\n    input: {name}\n"
    )
    block = load(conf)["custom"]
    assert block.pairing.input == name
    assert Path(block.source).name == name


def test_relative_source_counts_from_where_the_command_started(
    conf, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    parameters = load(conf, source="conf/../photos/mine")
    assert parameters["custom"].source == str(tmp_path / "photos/mine")


def test_embedded_source_is_no_folder(conf):
    assert load(conf)["colorization"].source == "photographs"


def test_value_can_be_taken_back_to_nothing(conf):
    block = load(conf, colorization={"pairing": {"recipe": "null"}})["colorization"]
    assert block.pairing.recipe is None


def test_space_of_a_tuning_is_checked_before_anything_runs(conf):
    space = {"training": {"learning_rat": {"low": "0.1", "high": "1"}}}
    with pytest.raises(InputError) as caught:
        load(conf, tuning={"space": space, "model": "pix2pux"})
    message = str(caught.value)
    assert "tuning.space.training.learning_rat: " in message
    assert "Did you mean training.learning_rate?" in message and "--params" in message
    with pytest.raises(InputError, match=r"tuning\.model: one of pix2pix, .*'pix2pux'"):
        load(conf, tuning={"model": "unet|pix2pux"})


def test_a_task_and_an_environment_change_the_space_of_a_tuning(conf):
    space = load(conf)["hidden_digits"].tuning.space
    assert "training.flip" not in space and "training.learning_rate" in space
    sweep = load(conf, "sweep")["monet"].tuning
    assert sweep.sampler == "grid" and sweep.search == "objective.l1"
    assert sweep.space["objective.l1"].choices == (1, 10, 30, 100, 300, 1000)


def test_margins_of_verdicts_are_those_of_the_metrics(conf):
    margins = load(conf)["colorization"].verdicts.margins.model_dump()
    assert margins == {name: metric.margin for name, metric in METRICS.items()}
    for metric in METRICS.values():
        assert (metric.margin is None) == (metric.margin_reason == "")


def test_former_name_of_a_model_is_accepted_with_a_hint(conf, caplog):
    given = {
        "models": {"recommended": {"training": {"epochs": "7"}}},
        "monet": {"recommended": {"enabled": "false"}},
        "translate": {"model": "recommended"},
        "tuning": {"model": "unet|recommended"},
    }
    parameters = load(conf, **given)
    assert epochs(parameters, model="residual_unet") == 7
    assert not parameters["monet"].residual_unet.enabled
    assert parameters["cartoon"].translate.model == "residual_unet"
    assert parameters["cartoon"].tuning.model == "unet|residual_unet"
    assert "recommended is now called residual_unet" in caplog.text


def test_predictions_made_elsewhere_are_a_model(conf, monkeypatch):
    monkeypatch.setattr(pipeline_registry, "_external", {})
    runtime = {
        "models": {"peer": {"predictions": "/a|/b"}},
        "monet": {"models": {"peer": {"resize": "true"}, "own": {"predictions": "/c"}}},
    }
    parameters = load(conf, "smoke", **runtime)
    assert pipeline_registry.external_models() == ("peer", "own")
    *_, peer, own, copy_input, mean_target = pipeline_registry.all_models()
    assert (peer, own) == ("peer", "own")
    assert parameters["monet"].external["peer"].folders == ["/a", "/b"]
    assert parameters["monet"].external["peer"].resize
    assert not parameters["cartoon"].external["peer"].resize
    assert parameters["cartoon"].external["own"].folders == []
    assert "peer" not in parameters["monet"].models


def test_wrong_value_of_a_model_made_elsewhere_is_named(conf, monkeypatch):
    monkeypatch.setattr(pipeline_registry, "_external", {})
    block = {"predictions": "/a", "resize": "perhaps"}
    with pytest.raises(InputError, match=r"models\.peer\.resize: .*set in --params"):
        load(conf, "smoke", models={"peer": block})
