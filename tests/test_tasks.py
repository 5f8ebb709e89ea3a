"""Every task and every pairing, from its source to its report."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from PIL import Image

from image_translation.common.names import BASELINES
from image_translation.metrics import METRICS
from tests.conftest import copy_project, only

HOSTILE_NAMES = (
    "plain",
    "with space",
    "Zoë",
    "日本",
    "it's",
    'say "hi"',
    "<script>alert(1)</script>",
    "a&amp;b",
    "line\nbreak",
    "100%",
    "{{ 7 * 7 }}",
    "$HOME",
    "-rf",
    "semi;colon",
    "back\\slash",
    "tab\there",
    "#hash",
    "=1+1",
    "dots.in.name",
    "a|b",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory, empty_database) -> Path:
    return copy_project(tmp_path_factory.mktemp("tasks"), empty_database)


def scene(seed: int, side: int = 48) -> np.ndarray:
    """A smooth picture in colour that no other seed gives."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.BICUBIC))


def grey(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).convert("L").convert("RGB"))


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, format="PNG")


def run(project, kedro, task, *parameters) -> Path:
    """Run a task, and give its reporting folder."""
    command = ["run", f"--pipeline={task}", "--env=smoke"]
    result = kedro(project, *command, "--params", ",".join(parameters))
    assert result.returncode == 0, result.stderr
    return project / "data/smoke/08_reporting" / task


def prepare(project, kedro, *parameters) -> Path:
    """Run ``custom`` until its pairs are prepared, and give their folder."""
    command = ["run", "--pipeline=custom", "--env=smoke"]
    command += ["--tags=ingestion,splitting,preparation"]
    result = kedro(project, *command, "--params", ",".join(parameters))
    assert result.returncode == 0, result.stderr
    return project / "data/smoke/05_model_input/custom"


def read(project: Path, task: str, table: str) -> pd.DataFrame:
    path = project / "data/smoke" / f"{table.format(task=task)}.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def assert_nothing_is_lost(project: Path, task: str) -> None:
    manifest = read(project, task, "02_intermediate/{task}/manifest")
    split = read(project, task, "03_primary/{task}/split")
    tied = read(project, task, "03_primary/{task}/tied_pairs")
    left_out = manifest[manifest["verdict"] == "left_out"]
    assert (left_out["reason"] != "").all()
    assert len(manifest) == len(split) + len(tied) + len(left_out)
    assert (split.groupby("group")["split"].nunique() == 1).all()


@pytest.mark.parametrize(
    "task", ["monet", "hidden_digits", pytest.param("cartoon", marks=pytest.mark.slow)]
)
def test_task_ends_with_a_report(project, kedro, task):
    few = "training.pairs=128,report.gallery=2", only("unet")
    reporting = run(project, kedro, task, *few)
    comparison = pd.read_csv(reporting / "comparison.csv")
    scored = comparison[comparison["n_images"] > 0]
    models = ["unet", *BASELINES] * len(METRICS)
    assert sorted(scored[scored["metric"].isin(METRICS)]["model"]) == sorted(models)
    html = (reporting / "report.html").read_text("utf-8")
    assert "was derived from the other image" in html
    off = comparison[comparison["model"] == "pix2pix"]
    assert (off["n_images"] == 0).all() and len(off)
    assert "not run" in html
    assert_nothing_is_lost(project, task)


def test_custom_takes_two_folders_with_any_names(project, kedro, tmp_path):
    for seed, name in enumerate(HOSTILE_NAMES):
        image = scene(seed)
        save(tmp_path / "pairs, no" / "in put" / f"{name}.png", grey(image))
        save(tmp_path / "pairs, no" / "out'put" / f"{name}.png", image)
    local = project / "conf/smoke/parameters_custom.yml"  # a comma needs a file
    local.write_text(f"custom:\n  source: '{tmp_path / 'pairs, no'}'\n", "utf-8")
    try:
        reporting = run(
            project,
            kedro,
            "custom",
            "pairing.input=in put",
            "pairing.target=out'put",
            only("unet"),
        )
    finally:
        local.unlink()
    split = read(project, "custom", "03_primary/{task}/split")
    assert set(split["input"]) == {f"in put/{name}.png" for name in HOSTILE_NAMES}
    html = (reporting / "report.html").read_text("utf-8")
    assert "<script>alert" not in html
    assert_nothing_is_lost(project, "custom")


def test_named_data_sets_have_champions_of_their_own(project, kedro, tmp_path):
    reporting = project / "data/smoke/08_reporting"
    custom = sorted(reporting.glob("custom/*"))
    for first, name in ((0, "faces"), (100, "cats")):
        for seed in range(first, first + 12):
            save(tmp_path / name / "in" / f"{seed}.png", grey(scene(seed)))
            save(tmp_path / name / "out" / f"{seed}.png", scene(seed))
        run(
            project,
            kedro,
            "custom",
            f"name={name},source={tmp_path / name}",
            "pairing.input=in,pairing.target=out",
            "training.epochs=1,report.gallery=1,report.blind_questions=0",
            only("unet"),
        )
        assert len(read(project, name, "03_primary/{task}/split")) == 12
    assert sorted(reporting.glob("custom/*")) == custom
    client = MlflowClient(f"sqlite:///{project}/data/smoke/mlflow/mlflow.db")
    for name in ("faces", "cats"):
        champion = client.get_model_version_by_alias(name, "champion")
        experiment = client.get_experiment_by_name(name).experiment_id
        assert client.get_run(champion.run_id).info.experiment_id == experiment
        assert f"{name}/report.html" in (reporting / "summary.html").read_text("utf-8")
    photo = tmp_path / "faces/in/0.png"
    where = f"task=faces,input={photo},output={tmp_path / 'translated'}"
    command = ("run", "--pipeline=translate", "--env=smoke", "--params", where)
    result = kedro(project, *command)
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / "translated").glob("*.png"))) == 1


def test_custom_takes_pairs_side_by_side(project, kedro, tmp_path):
    for seed in range(12):
        image = scene(seed)
        save(tmp_path / f"{seed}.png", np.hstack([image, grey(image)]))
    pairs = prepare(
        project,
        kedro,
        f"source={tmp_path}",
        "pairing.layout=side_by_side",
        "pairing.input=right",
    )
    targets = np.load(pairs / "train/targets.npy")
    assert np.ptp(targets.astype(int), axis=3).max() > 20  # the left half has colour
    inputs = np.load(pairs / "train/inputs.npy")
    assert np.ptp(inputs.astype(int), axis=3).max() == 0
    assert_nothing_is_lost(project, "custom")


def test_custom_takes_single_photographs_and_a_recipe(project, kedro, tmp_path):
    for seed in range(12):
        save(tmp_path / f"{seed}.png", scene(seed))
    pairs = prepare(
        project,
        kedro,
        f"source={tmp_path}",
        "pairing.layout=single",
        "pairing.recipe=cartoon",
    )
    train = [np.load(pairs / f"train/{side}.npy") for side in ("inputs", "targets")]
    assert train[0].shape == train[1].shape
    assert (train[0] != train[1]).any(axis=(1, 2, 3)).all()
    assert_nothing_is_lost(project, "custom")


def test_custom_follows_folders_of_sides_and_a_pattern(project, kedro, tmp_path):
    for seed in range(16):
        image, side = scene(seed), "test" if seed < 4 else "train"
        save(tmp_path / "A" / side / f"photo_{seed}.png", grey(image))
        save(tmp_path / "B" / side / f"painting-{seed:03}.png", image)
    prepare(
        project,
        kedro,
        f"source={tmp_path}",
        "pairing.input=A",
        "pairing.target=B",
        r"pairing.pattern=0*(\d+)$",
        "splitting.folders.train=train",
        "splitting.folders.test=test",
    )
    split = read(project, "custom", "03_primary/{task}/split")
    test = split.loc[split["split"] == "test", "input"]
    assert sorted(test) == [f"A/test/photo_{n}.png" for n in range(4)]
    assert set(split["split"]) == {"train", "validation", "test"}
    assert_nothing_is_lost(project, "custom")


def test_findings_reach_the_report_and_mlflow_and_stop_the_run_where_fatal(
    project, kedro, tmp_path
):
    for seed in range(12):
        image = scene(seed)
        save(tmp_path / f"in/{seed}.png", grey(image))
        save(tmp_path / f"out/{seed}.png", image)
    (tmp_path / "out/0.png").write_bytes(b"no image")
    where = [
        f"source={tmp_path}",
        "pairing.input=in",
        "pairing.target=out",
        "custom.training.epochs=1",
        only("unet"),
    ]
    command = ["run", "--pipeline=custom", "--env=smoke", "--params"]
    result = kedro(project, *command, ",".join([*where, "audit.fatal=unreadable"]))
    assert result.returncode == 4
    assert "audit.fatal" in result.stderr
    assert "unreadable: 1, such as out/0.png" in result.stderr
    assert "Traceback" not in result.stderr
    findings = read(project, "custom", "02_intermediate/{task}/findings")
    assert findings["finding"].tolist() == ["unreadable"]
    reporting = run(project, kedro, "custom", *where)
    assert "out/0.png" in (reporting / "report.html").read_text("utf-8")
    client = MlflowClient(f"sqlite:///{project}/data/smoke/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("custom")
    newest = client.search_runs(
        [experiment.experiment_id], "metrics.`audit/warnings` = 1", max_results=1
    )[0]
    assert "audit" in {file.path for file in client.list_artifacts(newest.info.run_id)}


def test_several_processes_make_one_child_run(project, kedro):
    client = MlflowClient(f"sqlite:///{project}/data/smoke/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("cartoon")
    known = [experiment.experiment_id] if experiment else []
    before = {run.info.run_id for run in client.search_runs(known)} if known else set()
    run(
        project,
        kedro,
        "cartoon",
        only("unet"),
        "training.devices=2",
        "training.device=cpu",
    )
    known = [client.get_experiment_by_name("cartoon").experiment_id]
    new = [r for r in client.search_runs(known) if r.info.run_id not in before]
    children = [r for r in new if "mlflow.parentRunId" in r.data.tags]
    assert len(new) == 2
    assert len(children) == 1
    assert {"train/l1", "validation/psnr", "test/psnr"} <= children[
        0
    ].data.metrics.keys()
    epochs = client.get_metric_history(children[0].info.run_id, "validation/psnr")
    assert [metric.step for metric in epochs] == [1, 2]
