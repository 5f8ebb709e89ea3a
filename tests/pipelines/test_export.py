import pandas as pd
import pytest

from image_translation.common.errors import InputError
from image_translation.datasets.models import TrainedModelsDataset, Workspace
from image_translation.datasets.pair_arrays import PairArraysDataset
from image_translation.datasets.source import SourceDataset
from image_translation.export import formats
from image_translation.export.package import ModelExport
from image_translation.export.settings import ExportSettings
from image_translation.pipelines.export.nodes import export_models
from image_translation.training import train
from tests.conftest import task_settings
from tests.training.conftest import make_settings


def exporting(model):
    return ExportSettings(model=model, calibration=8)


@pytest.fixture
def arguments(smoke_project, tmp_path):
    """Arguments of the node after a run of the smoke project."""
    data = smoke_project / "data/smoke"
    pairs = {
        side: PairArraysDataset(
            filepath=str(data / f"05_model_input/colorization/{side}")
        ).load()
        for side in ("train", "validation")
    }
    tables = {
        name: pd.read_csv(data / f"08_reporting/colorization/{name}.csv")
        for name in ("comparison", "verdicts")
    }
    return {
        "settings": task_settings(export=exporting("unet")),
        "trained": TrainedModelsDataset(
            filepath=str(data / "06_models/colorization")
        ).load(),
        "champions": Workspace(tmp_path),
        "folder": tmp_path / "exported",
        "source": SourceDataset(
            filepath=str(data / "02_intermediate/colorization/source.json")
        ).load(),
        "split": pd.read_csv(data / "03_primary/colorization/split.csv", dtype=str),
        **pairs,
        **tables,
    }


@pytest.fixture
def written(monkeypatch):
    """The facts of the exports that are written; no model is converted."""
    facts = []

    def write(export, folder):
        facts.append(export.facts)
        (folder / "model.onnx").write_text("model")

    monkeypatch.setattr(ModelExport, "write", write)
    return facts


def test_given_model_is_exported_once_with_its_scores(arguments, written, tmp_path):
    for _ in range(2):
        assert export_models(**arguments) == {"unet": tmp_path / "exported/unet"}
    (facts,) = written
    assert facts.version is None and facts.derived == "input"
    assert (facts.comparison["model"] == "unet").any()
    assert "chelsea" in facts.credit and facts.splits["n_pairs"].sum() > 100


def test_new_scores_are_a_new_export(arguments, written):
    export_models(**arguments)
    scores = arguments["comparison"].assign(mean=0.5)
    export_models(**{**arguments, "comparison": scores})
    assert len(written) == 2


def test_failed_export_keeps_the_old_one(arguments, written, monkeypatch):
    (folder,) = export_models(**arguments).values()

    def fail(export, folder):
        (folder / "model.onnx").write_text("bad")
        raise InputError("runtimes do not agree")

    monkeypatch.setattr(ModelExport, "write", fail)
    changed = {**arguments, "comparison": arguments["comparison"].assign(mean=0.5)}
    with pytest.raises(InputError, match="do not agree"):
        export_models(**changed)
    assert (folder / "model.onnx").read_text() == "model"
    assert [path.name for path in folder.parent.iterdir()] == ["unet"]


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"export": exporting("mean_target")}, "mean_target is a baseline"),
        ({"export": exporting("nothing")}, "export.model: there is no trained"),
        (
            {"unet": make_settings("unet", inference__dropout=True)},
            "inference.dropout=false",
        ),
    ],
)
def test_model_that_cannot_be_exported_is_an_error(arguments, sections, message):
    settings = arguments["settings"].model_copy(update=sections)
    with pytest.raises(InputError, match=message):
        export_models(**{**arguments, "settings": settings})


def test_exported_network_has_the_temperature_of_the_parameters(
    arguments, monkeypatch, tmp_path
):
    found = []
    monkeypatch.setattr(
        ModelExport, "write", lambda e, folder: found.append(e.generator)
    )
    pairs = arguments["train"], arguments["validation"]
    settings = make_settings("classes", training__epochs=1)
    trained = train("vivid_unet", settings, *pairs, tmp_path / "vivid_unet")
    for temperature in (0.2, 0.9):
        changes = {
            "export": exporting("vivid_unet"),
            "vivid_unet": make_settings("classes", inference__temperature=temperature),
        }
        changed = arguments["settings"].model_copy(update=changes)
        export_models(
            **{**arguments, "settings": changed, "trained": {"vivid_unet": trained}}
        )
    temperatures = [
        module.temperature
        for network in found
        for module in network.modules()
        if hasattr(module, "temperature")
    ]
    assert temperatures == [0.2, 0.9]


def test_missing_extra_is_an_error(arguments, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install -e '.\[export\]'"):
        export_models(**arguments)
