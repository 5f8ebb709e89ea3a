"""From the scored pairs to the count of evaluations, with datasets on disk."""

import numpy as np
import pandas as pd
import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from image_translation.common.errors import InputError
from image_translation.common.names import BASELINES
from image_translation.common.stamps import Stamp
from image_translation.config.parameters import LayeredConfigLoader
from image_translation.hooks.stamps import StampHooks
from image_translation.pairing.settings import SealSettings
from image_translation.pipelines.task import create_pipeline
from tests.conftest import PROJECT, task_settings
from tests.training.conftest import make_pairs

TASK = "colorization"
N = 4
STEPS = ("train", "translate", "score", "score_sets", "count_scoring")


class Project:
    """A task with baselines only, run by run."""

    def __init__(self, folder):
        self.data = folder / "data"
        for number, side in enumerate(("train", "validation", "test")):
            self.save_pairs(side, make_pairs(N, number), prefix=side[0])
        loader = LayeredConfigLoader(
            str(PROJECT / "conf"), env="base", base_env="base", default_run_env="base"
        )
        self.catalog = loader["catalog"]
        self.pipeline = create_pipeline(TASK, BASELINES)

    def save_pairs(self, side, pairs, prefix):
        folder = self.data / "05_model_input" / TASK / side
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "inputs.npy", pairs.inputs)
        np.save(folder / "targets.npy", pairs.targets)
        index = prefix + pairs.index
        index.to_csv(folder / "index.csv", index=False)
        Stamp(folder).write(f"{prefix} {pairs.fingerprint}")

    def run(self, *nodes, sealed=False):
        catalog = DataCatalog.from_config(self.catalog)
        settings = task_settings(TASK, test=SealSettings(sealed=sealed))
        for name, value in settings:
            catalog[f"params:{TASK}.{name}"] = MemoryDataset(value)
            if name in BASELINES:
                part = MemoryDataset(value.inference)
                catalog[f"params:{TASK}.{name}.inference"] = part
        catalog[f"params:{TASK}"] = MemoryDataset(settings)
        models = [f"{TASK}.{name}.{step}" for name in BASELINES for step in STEPS]
        whole = ["choose_scored_pairs", "compare_models", "count_looks"]
        whole += ["write_blind_test"]
        hooks = _create_hook_manager()
        hooks.register(StampHooks())
        chosen = nodes or [*models, *(f"{TASK}.{name}" for name in whole)]
        SequentialRunner().run(self.pipeline.only_nodes(*chosen), catalog, hooks)

    def predictions(self):
        folder = self.data / "07_model_output" / TASK
        return {path.stem for path in folder.glob("*/predictions/*.png")}

    def tables(self):
        folders = ("06_models", "07_model_output", "08_reporting")
        files = [
            path
            for folder in folders
            for path in (self.data / folder).rglob("*")
            if path.suffix in (".csv", ".json", ".html")
        ]
        return "\n".join(path.read_text("utf-8") for path in files)

    def read(self, name):
        path = self.data / "08_reporting" / TASK / f"{name}.csv"
        return pd.read_csv(path, keep_default_na=False)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def ids(side):
    return set(side + make_pairs(N).index["pair_id"])


def test_sealed_run_touches_no_test_pair(project):
    project.run(sealed=True)
    assert project.predictions() == ids("v")
    tables = project.tables()
    assert not any(pair_id in tables for pair_id in ids("t"))
    assert set(project.read("comparison")["subset"]) == {"validation"}
    verdicts = project.read("verdicts")  # none: baselines are not compared
    assert verdicts.empty and "subset" in verdicts
    assert project.read("looks")["look"].tolist() == [0]


def test_first_unsealed_run_is_the_first_evaluation(project):
    project.run(sealed=True)
    project.run()
    assert project.predictions() == ids("t")
    tables = project.tables()
    assert not any(pair_id in tables for pair_id in ids("v"))
    assert set(project.read("comparison")["subset"]) == {"test"}
    looks = project.read("looks")
    assert looks["look"].tolist() == [0, 1, 1]
    assert set(looks["model"]) == {"", *BASELINES}


def test_sealing_an_open_test_set_removes_its_scores(project):
    project.run()
    project.run(sealed=True)
    assert project.predictions() == ids("v")
    tables = project.tables()
    assert not any(pair_id in tables for pair_id in ids("t"))
    assert project.read("looks")["look"].tolist() == [1, 1]


def test_only_new_pairs_add_an_evaluation(project):
    project.run()
    before = project.read("looks")
    project.run()
    pd.testing.assert_frame_equal(project.read("looks"), before)
    project.save_pairs("test", make_pairs(N - 1, 5), "t")
    project.run()
    looks = project.read("looks")
    assert looks["look"].tolist() == [1, 1, 1, 1]
    assert looks["test_set"].nunique() == 2


def test_partial_run_with_another_seal_is_an_error(project):
    project.run()
    for step in ("translate", "score", "score_sets"):
        with pytest.raises(InputError, match="test.sealed is true, but.*preparation"):
            project.run(f"{TASK}.copy_input.{step}", sealed=True)


def test_models_scored_on_different_pairs_are_not_compared(project):
    project.run()
    steps = [f"{TASK}.copy_input.{step}" for step in STEPS]
    project.run(f"{TASK}.choose_scored_pairs", *steps, sealed=True)
    with pytest.raises(InputError, match="copy_input: validation, mean_target: test"):
        project.run(f"{TASK}.compare_models", sealed=True)
