import base64
import io
import json
from dataclasses import replace
from importlib.metadata import version

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from PIL import Image
from safetensors.torch import save_file

from image_translation.common.fingerprint import file_digest
from image_translation.common.schema import flatten
from image_translation.common.stamps import Stamp
from image_translation.imaging.decoding import to_8_bit
from image_translation.networks import build_network
from image_translation.runs.backlog import find_pending_trainings, send_training
from image_translation.runs.mlflow_logging import link_replicates, log_scores
from image_translation.runs.mlflow_observer import MlflowObserver
from image_translation.runs.mlflow_position import read_run_id, read_sent
from image_translation.runs.store import connection
from image_translation.runs.training_run import (
    describe_training,
    record_finished,
)
from image_translation.training.trained import TrainedModel, TrainedReplicate
from image_translation.translation.encoded_images import Translator, translate_pixels
from tests.training.conftest import make_settings
from tests.translation.conftest import make_settings as make_translate_settings

SETTINGS = make_settings(
    "pix2pix", network__base_channels=8, training__seed=3, training__epochs=2
)
HOW = make_translate_settings()
SERVED = {**HOW.model_dump(), "white": 4095.0}
COST = {"seconds": 1.5, "images_per_second": 20.0}


@pytest.fixture
def parent(store):
    return MlflowClient().create_run(store).info.run_id


@pytest.fixture
def observer(store, parent):
    inputs = [
        {
            "name": "colorization.train_pairs",
            "context": "train",
            "fingerprint": "f" * 64,
            "n_pairs": 12,
        }
    ]
    observer = MlflowObserver(
        "colorization", "pix2pix", parent, inputs, SERVED, "smoke"
    )
    yield observer
    observer._stop_monitor()  # it would call the store during later tests


def replicate(folder, failure=None, epochs=()):
    """A finished training as a folder has it; the weights are those of a tiny network."""
    generator = build_network("unet", 32, 2)
    save_file(generator.state_dict(), folder / "weights.safetensors")
    write_history(folder, epochs)
    config = {
        "network": {"name": "unet", "base_channels": 2},
        "image_size": 32,
        "cost": COST,
        "failure": failure,
        "replicate": 0,
        "best_epoch": 1,
        "weights_sha256": file_digest(folder / "weights.safetensors"),
        "fingerprint": "cd" * 32,
    }
    (folder / "config.json").write_text(json.dumps(config))
    names = ("weights.safetensors", "history.csv", "config.json")
    Stamp(folder).write("cd" * 32, [folder / name for name in names])
    return TrainedReplicate(folder, config)


def write_history(folder, epochs):
    rows = [{"epoch": e, "seconds": 1.0, "train/l1": 1 / e} for e in epochs]
    table = pd.DataFrame(rows, columns=["epoch", "seconds", "train/l1"])
    table.to_csv(folder / "history.csv", index=False)


def encode(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def decode(data):
    return np.array(Image.open(io.BytesIO(data)))


def run_of(folder):
    return MlflowClient().get_run(read_run_id(folder))


def test_training_becomes_a_child_run_with_every_parameter(observer, parent, tmp_path):
    observer.on_start(1, tmp_path, SETTINGS, {"parameters": 7})
    run = run_of(tmp_path)
    assert run.data.tags["mlflow.parentRunId"] == parent
    assert run.data.tags["model"] == "pix2pix"
    assert run.data.tags["replicate"] == "1"
    assert run.data.params["training.epochs"] == "2"
    assert run.data.params["training.seed"] == "4"
    assert run.data.params["objective.l1"] == "100.0"
    assert run.data.params["cost.parameters"] == "7"
    assert set(flatten(SETTINGS.model_dump())) <= set(run.data.params)
    (given,) = run.inputs.dataset_inputs
    assert given.dataset.name == "colorization.train_pairs"
    assert json.loads(given.dataset.profile) == {"num_pairs": 12}


def test_epochs_become_curves_and_pictures(observer, tmp_path):
    observer.on_start(0, tmp_path, SETTINGS, {})
    observer.on_epoch(0, {}, np.zeros((4, 12, 3), np.uint8))
    for epoch in (1, 2):
        metrics = {"epoch": epoch, "train/l1": 1 / epoch, "train/none": float("nan")}
        observer.on_epoch(epoch, metrics, np.zeros((4, 12, 3), np.uint8))
    run_id = read_run_id(tmp_path)
    history = MlflowClient().get_metric_history(run_id, "train/l1")
    assert [(point.step, point.value) for point in history] == [(1, 1.0), (2, 0.5)]
    assert "train/none" not in run_of(tmp_path).data.metrics
    pictures = MlflowClient().list_artifacts(run_id, "images")
    steps = {file.path.split("+")[2] for file in pictures if file.path.endswith("png")}
    assert steps == {"0", "1", "2"}


def test_runs_are_found_by_their_tags(observer, tmp_path):
    observer.on_start(2, tmp_path, SETTINGS, {})
    run = run_of(tmp_path)
    assert run.info.run_name == "pix2pix replicate 2"
    expected = {
        "task": "colorization",
        "model": "pix2pix",
        "replicate": "2",
        "environment": "smoke",
        "train_data_digest": "f" * 16,
    }
    assert expected.items() <= run.data.tags.items()
    assert run.data.tags["code_version"]
    assert run.data.params["environment.torch"] == version("torch")


def test_finished_training_closes_its_run_with_the_model(observer, tmp_path):
    observer.on_start(0, tmp_path, SETTINGS, {})
    trained = replicate(tmp_path)
    observer.on_end(trained)
    run = run_of(tmp_path)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["cost/seconds"] == 1.5
    (output,) = run.outputs.model_outputs
    model = mlflow.pyfunc.load_model(f"models:/{output.model_id}")
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    given = [image, encode(image), base64.b64encode(encode(image)).decode()]
    pixels, png, text = model.predict(pd.DataFrame({"image": given}))["image"]
    translator = Translator.read(trained, SETTINGS.inference, HOW)
    expected = translate_pixels(translator, image)
    np.testing.assert_array_equal(pixels, expected)
    np.testing.assert_array_equal(decode(png), expected)
    np.testing.assert_array_equal(decode(base64.b64decode(text)), expected)
    deep = np.arange(40 * 50, dtype=np.uint16).reshape(40, 50) * 2
    grey = to_8_bit(deep, 4095)[..., None].repeat(3, axis=2)
    (png,) = model.predict(pd.DataFrame({"image": [encode(deep)]}))["image"]
    np.testing.assert_array_equal(decode(png), translate_pixels(translator, grey))
    for wrong in (image / 255, image.astype(np.uint16) * 257, image.astype(int) - 1):
        with pytest.raises(ValueError, match="pixels are whole numbers from 0 to 255"):
            model.unwrap_python_model()._translate(wrong)
    assert model.metadata.signature.inputs.input_names() == ["image"]
    assert model.input_example is not None


def test_failed_training_is_marked(observer, tmp_path):
    observer.on_start(0, tmp_path, SETTINGS, {})
    observer.on_end(replicate(tmp_path, failure="diverged"))
    assert run_of(tmp_path).info.status == "FAILED"


def test_training_that_goes_on_keeps_its_run(observer, tmp_path):
    observer.on_start(0, tmp_path, SETTINGS, {})
    first = read_run_id(tmp_path)
    observer.close()
    assert run_of(tmp_path).info.status == "KILLED"
    write_history(tmp_path, (1,))
    observer.on_start(0, tmp_path, SETTINGS, {})
    assert read_run_id(tmp_path) == first
    assert run_of(tmp_path).info.status == "RUNNING"


def test_new_training_in_an_old_folder_gets_a_new_run(observer, tmp_path):
    observer.on_start(0, tmp_path, SETTINGS, {})
    first = read_run_id(tmp_path)
    observer.on_start(0, tmp_path, SETTINGS, {})
    assert read_run_id(tmp_path) != first


def test_test_scores_go_to_the_child_once_and_the_parent_links_it(
    observer, parent, tmp_path
):
    observer.on_start(0, tmp_path, SETTINGS, {})
    trained = TrainedModel("trained", "", (replicate(tmp_path),), SETTINGS)
    observer.on_end(trained.replicates[0])
    scores = pd.DataFrame(
        {
            "pair_id": ["a", "b"],
            "group": ["a", "b"],
            "replicate": [0, 0],
            "mse": [0.0, 0.02],
            "psnr": [np.inf, 20.0],
            "ssim": [1.0, 0.5],
        }
    )
    for _ in range(2):
        log_scores(trained, scores)
    run_id = read_run_id(tmp_path)
    (point,) = MlflowClient().get_metric_history(run_id, "test/psnr")
    assert point.value == 60.0
    link_replicates(parent, "pix2pix", trained)
    tags = MlflowClient().get_run(parent).data.tags
    assert tags["pix2pix.replicate-0"] == run_id


def test_scores_of_validation_pairs_are_not_called_test_scores(observer, tmp_path):
    observer.on_start(0, tmp_path, SETTINGS, {})
    trained = TrainedModel("trained", "", (replicate(tmp_path),), SETTINGS)
    observer.on_end(trained.replicates[0])
    row = {"pair_id": "a", "group": "a", "replicate": 0, "psnr": 20.0}
    log_scores(trained, pd.DataFrame([{**row, "subset": "validation"}]))
    metrics = MlflowClient().get_run(read_run_id(tmp_path)).data.metrics
    assert metrics["sealed/psnr"] == 20.0
    assert not any(name.startswith("test/") for name in metrics)


@pytest.fixture
def lost(store, monkeypatch):
    """A store that fails; `connection` forgets it afterwards."""
    calls = []

    def fail(*args, **kwargs):
        calls.append(args)
        raise MlflowException("API request to http://me:secret@host failed")

    with monkeypatch.context() as patch:
        for name in ("create_run", "log_batch", "log_image", "update_run"):
            patch.setattr(MlflowClient, name, fail)
        yield calls
    connection.renew()


def test_store_that_fails_does_not_end_the_training_and_is_asked_once(
    observer, tmp_path, lost, caplog
):
    observer.on_start(0, tmp_path, SETTINGS, {})
    for epoch in (1, 2):
        observer.on_epoch(epoch, {"train/l1": 1.0}, np.zeros((4, 12, 3), np.uint8))
    observer.on_end(replicate(tmp_path))
    assert len(lost) == 1
    assert "MLflow cannot be reached any more" in caplog.text
    assert "secret" not in caplog.text


def test_backlog_arrives_once(observer, parent, tmp_path, monkeypatch):
    picture = np.full((4, 12, 3), 7, np.uint8)
    observer.on_start(0, tmp_path, SETTINGS, {})
    observer.on_epoch(1, {"seconds": 1.0, "train/l1": 1.0}, picture)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", fail_to_reach)
        observer.on_epoch(2, {"seconds": 1.0, "train/l1": 0.5}, picture)
    observer.on_epoch(3, {"seconds": 1.0, "train/l1": 1 / 3}, picture)
    observer.on_end(replicate(tmp_path, epochs=(1, 2, 3)))
    assert run_of(tmp_path).info.status == "RUNNING"
    assert [path.stem for path in (tmp_path / "pictures").iterdir()]
    connection.renew()
    for _ in range(2):
        send_training(tmp_path)
    run = run_of(tmp_path)
    history = MlflowClient().get_metric_history(run.info.run_id, "train/l1")
    assert sorted((point.step, point.value) for point in history) == [
        (1, 1.0),
        (2, 0.5),
        (3, pytest.approx(1 / 3)),
    ]
    pictures = MlflowClient().list_artifacts(run.info.run_id, "images")
    assert len([file for file in pictures if file.path.endswith(".png")]) == 3
    assert run.info.status == "FINISHED"
    assert len(run.outputs.model_outputs) == 1
    assert not list((tmp_path / "pictures").iterdir())


def test_training_that_the_store_never_heard_of_is_sent(
    observer, parent, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "create_run", fail_to_reach)
        observer.on_start(0, tmp_path, SETTINGS, {"parameters": 7})
        observer.on_epoch(1, {"seconds": 1.0, "train/l1": 1.0}, None)
        observer.on_end(replicate(tmp_path, epochs=(1,)))
    assert read_run_id(tmp_path) is None
    connection.renew()
    send_training(tmp_path)
    run = run_of(tmp_path)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["train/l1"] == 1.0
    assert run.data.params["cost.parameters"] == "7"
    assert run.data.tags["mlflow.parentRunId"] == parent


def test_run_that_was_made_gets_its_parameters_and_inputs_later(
    observer, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", fail_to_reach)
        observer.on_start(0, tmp_path, SETTINGS, {"parameters": 7})
        observer.on_end(replicate(tmp_path))
    assert not run_of(tmp_path).data.params
    connection.renew()
    send_training(tmp_path)
    run = run_of(tmp_path)
    assert run.data.params["cost.parameters"] == "7"
    assert [i.dataset.name for i in run.inputs.dataset_inputs] == [
        "colorization.train_pairs"
    ]
    assert run.info.status == "FINISHED"


def test_training_that_was_left_while_the_store_was_away_is_sent(
    observer, tmp_path, monkeypatch
):
    folder = tmp_path / "unet/replicate-0"
    folder.mkdir(parents=True)
    observer.on_start(0, folder, SETTINGS, {})
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", fail_to_reach)
        write_history(folder, (1,))
        observer.on_epoch(1, {"seconds": 1.0, "train/l1": 1.0}, None)
        observer.close()
    assert run_of(folder).info.status == "RUNNING"
    connection.renew()
    assert find_pending_trainings(tmp_path) == [folder]
    send_training(folder)
    assert run_of(folder).info.status == "KILLED"
    assert run_of(folder).data.metrics["train/l1"] == 1.0
    assert find_pending_trainings(tmp_path) == []
    observer.on_start(0, folder, SETTINGS, {})  # and goes on
    assert run_of(folder).info.status == "RUNNING"
    observer.close()
    assert run_of(folder).info.status == "KILLED"
    assert find_pending_trainings(tmp_path) == []


def test_run_of_a_training_that_is_not_gone_on_with_is_ended(observer, tmp_path):
    observer.on_start(0, tmp_path, SETTINGS, {})
    cut_off = read_run_id(tmp_path)
    observer.on_start(0, tmp_path, SETTINGS, {})  # other data: it begins anew
    assert read_run_id(tmp_path) != cut_off
    assert MlflowClient().get_run(cut_off).info.status == "KILLED"
    assert run_of(tmp_path).info.status == "RUNNING"


def test_epoch_that_is_told_again_is_one_point(observer, tmp_path):
    observer.on_start(0, tmp_path, SETTINGS, {})
    observer.on_epoch(1, {"seconds": 1.0, "train/l1": 1.0}, None)
    observer.close()
    write_history(tmp_path, (1,))
    observer.on_start(0, tmp_path, SETTINGS, {})
    observer.on_epoch(1, {"seconds": 2.0, "train/l1": 1.0}, None)
    history = MlflowClient().get_metric_history(read_run_id(tmp_path), "train/l1")
    assert len(history) == 1


def fail_to_reach(*args, **kwargs):
    raise MlflowException("API request failed")


def test_process_killed_before_it_counted_an_epoch_sends_no_point_twice(
    observer, parent, tmp_path
):
    observer.on_start(0, tmp_path, SETTINGS, {})
    for epoch in (1, 2):
        observer.on_epoch(epoch, {"seconds": 1.0, "train/l1": 1.0}, None)
    sent = read_sent(tmp_path)
    replace(sent, events=sent.events - 1).write(tmp_path)
    observer._release()  # as the process ends
    write_history(tmp_path, (1, 2))
    observer.on_start(0, tmp_path, SETTINGS, {})
    history = MlflowClient().get_metric_history(sent.run_id, "train/l1")
    assert [point.step for point in history] == [1, 2]


def test_end_that_a_killed_process_did_not_record_is_sent(observer, tmp_path):
    folder = tmp_path / "unet/replicate-0"
    folder.mkdir(parents=True)
    observer.on_start(0, folder, SETTINGS, {})
    replicate(folder)
    observer._release()
    assert find_pending_trainings(tmp_path) == [folder]
    send_training(folder)
    assert run_of(folder).info.status == "FINISHED"
    assert find_pending_trainings(tmp_path) == []


def test_training_without_a_log_is_sent_whole_and_again_to_another_store(
    store, tmp_path
):
    replicate(tmp_path, epochs=(1, 2))
    run = describe_training("colorization", "unet", 0, SETTINGS, COST, HOW.model_dump())
    record_finished(tmp_path, run)
    first = send_training(tmp_path)
    assert send_training(tmp_path) == first
    history = MlflowClient().get_metric_history(first.run_id, "train/l1")
    assert [point.step for point in history] == [1, 2]
    MlflowClient().delete_run(first.run_id)
    again = send_training(tmp_path)
    assert again.run_id != first.run_id
    assert run_of(tmp_path).info.status == "FINISHED"
    assert run_of(tmp_path).data.metrics["train/l1"] == 0.5
