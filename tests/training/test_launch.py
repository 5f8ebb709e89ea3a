import os
import signal
import threading

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from image_translation.common.errors import InputError
from image_translation.training.batches import Batch
from image_translation.training.devices import Device
from image_translation.training.interruption import Stopped
from image_translation.training.launch import JOB_FOLDER, _torchrun
from image_translation.training.loop import train_batch
from image_translation.training.replicates import train
from image_translation.training.state import TrainingState
from image_translation.training.tensors import to_tensor
from tests.training.conftest import SIZE, Recorder, make_pairs, make_settings

TWO = {"training__devices": 2, "training__device": "cpu"}


def step_in_process(rank: int, world: int, model: str, folder: str) -> None:
    """One step of one of several processes; rank 0 keeps the gradients."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world
    )
    gradients = take_step(model, rank, world)
    if rank == 0:
        torch.save(gradients, f"{folder}/gradients.pt")
    dist.barrier()
    os._exit(0)  # as the worker does


def take_step(model: str, rank: int = 0, world: int = 1) -> dict[str, torch.Tensor]:
    """The change of all weights by one step of plain gradient descent."""
    settings = make_settings(model)
    state = TrainingState.start(settings, SIZE, 0, "cpu")
    networks = {"generator": state.generator, "discriminator": state.discriminator}
    for name, network in networks.items():
        if network is not None:
            network.eval()  # no batch statistics, no dropout
            rate = torch.optim.SGD(network.parameters(), lr=1.0)
            state.optimizers[name] = rate
    if state.classes is not None:
        state.classes.train()  # its loss needs the logits
    before = [
        p.detach().clone() for n in networks.values() if n for p in n.parameters()
    ]
    pairs = make_pairs(5)
    own = slice(rank, None, world)
    inputs, targets = to_tensor(pairs.inputs[own]), to_tensor(pairs.targets[own])
    batch = Batch(inputs, targets, len(pairs), world * len(inputs) / len(pairs))
    train_batch(state, batch, settings, Device("cpu", "fp32"))
    after = [p.detach() for n in networks.values() if n for p in n.parameters()]
    return {str(i): a - b for i, (a, b) in enumerate(zip(after, before, strict=True))}


@pytest.mark.parametrize(
    "model",
    [
        "unet",
        "compared",
        "classes",
        pytest.param("autoencoder", marks=pytest.mark.slow),
    ],
)
def test_gradients_of_two_processes_are_those_of_one(tmp_path, model):
    mp.spawn(step_in_process, (2, model, str(tmp_path)), nprocs=2)
    shared = torch.load(tmp_path / "gradients.pt", weights_only=True)
    for name, alone in take_step(model).items():
        torch.testing.assert_close(shared[name], alone, atol=1e-5, rtol=0)


def test_discriminators_gradients_of_two_processes_are_those_of_one(tmp_path):
    mp.spawn(step_in_process, (2, "pix2pix", str(tmp_path)), nprocs=2)
    shared = torch.load(tmp_path / "gradients.pt", weights_only=True)
    alone = take_step("pix2pix")
    settings = make_settings("pix2pix")
    count = len(
        list(TrainingState.start(settings, SIZE, 0, "cpu").generator.parameters())
    )
    names = [name for name in alone if int(name) >= count]
    for name in names:
        torch.testing.assert_close(shared[name], alone[name], atol=1e-5, rtol=0)


class TestLaunch:
    @pytest.fixture(scope="class")
    def pairs(self):
        return make_pairs(12, seed=0), make_pairs(6, seed=1)

    def test_two_processes_train_as_well_as_one(self, pairs, tmp_path):
        changes = {"training__epochs": 8, "network__base_channels": 8}
        recorder = Recorder()
        settings = make_settings("unet", **changes, **TWO)
        two = train("unet", settings, *pairs, tmp_path / "two", [recorder])
        assert two.status == "trained"
        assert [start[0] for start in recorder.starts] == [0]
        assert list(recorder.epochs) == list(range(1, 9))
        assert len(recorder.ends) == 1
        assert not (tmp_path / "two" / JOB_FOLDER).exists()
        one = train("unet", make_settings("unet", **changes), *pairs, tmp_path / "one")
        best = [
            model.replicates[0].history()["validation/psnr"].max()
            for model in (one, two)
        ]
        assert abs(best[0] - best[1]) < 0.5

    def test_what_is_up_to_date_launches_nothing(self, pairs, tmp_path, monkeypatch):
        settings = make_settings("autoencoder", training__epochs=1, **TWO)
        first = train("autoencoder", settings, *pairs, tmp_path)
        from image_translation.training import replicates

        monkeypatch.setattr(replicates, "launch", lambda *_: pytest.fail("launched"))
        assert train("autoencoder", settings, *pairs, tmp_path) == first

    def test_error_in_a_process_is_reported(self, tmp_path):
        settings = make_settings("unet", **TWO)
        with pytest.raises(InputError, match="train subset has no pairs"):
            train("unet", settings, make_pairs(0), make_pairs(2), tmp_path)

    def test_signal_stops_all_and_the_next_run_resumes(self, pairs, tmp_path):
        class Stopper(Recorder):
            def on_epoch(self, epoch, metrics, samples):
                super().on_epoch(epoch, metrics, samples)
                if epoch == 2:
                    os.kill(os.getpid(), signal.SIGTERM)

        assert threading.current_thread() is threading.main_thread()
        settings = make_settings("unet", training__epochs=400, **TWO)
        with pytest.raises(Stopped) as stopped:
            train("unet", settings, *pairs, tmp_path, [Stopper()])
        assert stopped.value.exit_code == 143
        assert (tmp_path / "replicate-0/checkpoint.pt").exists()


def test_several_hosts_need_an_address(tmp_path):
    training = make_settings(training__nodes=2).training
    with pytest.raises(InputError, match=r"training\.rendezvous"):
        _torchrun(training, tmp_path, 0)


def test_command_for_other_hosts_counts_the_nodes(tmp_path):
    training = make_settings(
        training__nodes=3, training__devices=4, training__rendezvous="10.0.0.1:5000"
    ).training
    command = _torchrun(training, tmp_path / "job.json", 2)
    assert "--nnodes=3" in command
    assert "--node-rank=2" in command
    assert "--nproc-per-node=4" in command
    assert "--master-addr=10.0.0.1" in command
    assert "--master-port=5000" in command
    assert np.all([isinstance(part, str) for part in command])
