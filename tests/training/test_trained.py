import json

import pytest
from safetensors.torch import load_file, save_file

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import file_digest
from image_translation.training.fitting import fit
from image_translation.training.trained import TrainedModel, TrainedReplicate
from tests.training.conftest import MODELS, make_settings


@pytest.fixture
def trained(tmp_path, train_pairs, validation_pairs):
    settings = make_settings("copy_input")
    return fit(settings, train_pairs, validation_pairs, tmp_path)


@pytest.mark.parametrize("model", MODELS)
def test_generator_is_built_from_the_folder_alone(
    tmp_path, train_pairs, validation_pairs, model
):
    settings = make_settings(model, training__epochs=1)
    fit(settings, train_pairs, validation_pairs, tmp_path)
    generator = TrainedReplicate.read(tmp_path).load_generator()
    assert not any(module.training for module in generator.modules())


def test_folder_without_a_model_is_an_error(tmp_path):
    with pytest.raises(InputError, match="config.json .*is being trained"):
        TrainedReplicate.read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no safetensors"])
def test_broken_weights_are_an_error(trained, content):
    (trained.folder / "weights.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="weights.safetensors .*training.force"):
        trained.load_generator()


def test_weights_of_an_earlier_bottleneck_are_an_error_with_its_remedy(
    tmp_path, train_pairs, validation_pairs
):
    settings = make_settings("autoencoder", training__epochs=1)
    trained = fit(settings, train_pairs, validation_pairs, tmp_path)
    path = tmp_path / "weights.safetensors"
    weights = load_file(path)
    widest = max(weights, key=lambda name: weights[name].numel())
    save_file({**weights, widest: weights[widest].repeat(2, 1, 1, 1)}, path)
    config = {**trained.config, "weights_sha256": file_digest(path)}
    with pytest.raises(InputError, match="autoencoder at 32 pixels; train the model"):
        TrainedReplicate(tmp_path, config).load_generator()


def test_damaged_weights_are_an_error_with_its_remedy(
    tmp_path, train_pairs, validation_pairs
):
    settings = make_settings("unet", training__epochs=1)
    trained = fit(settings, train_pairs, validation_pairs, tmp_path)
    path = tmp_path / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"weights\.safetensors is damaged.*train the"):
        trained.load_generator()


def test_removed_network_is_an_error_that_names_the_folder(trained):
    config = {**trained.config, "network": {"name": "mine", "base_channels": 8}}
    with pytest.raises(InputError, match=f"{trained.folder} .*network mine"):
        TrainedReplicate(trained.folder, config).load_generator()


def test_other_weights_with_the_same_settings_have_another_fingerprint(trained):
    path = trained.folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "weights_sha256": "0"}))
    assert TrainedReplicate.read(trained.folder).fingerprint != trained.fingerprint


def test_model_without_structure_options_can_be_read(trained):
    path = trained.folder / "config.json"
    config = json.loads(path.read_text())
    for name in ("network", "objective"):
        kept = {"name", "base_channels", "adversarial", "l1", "discriminator_channels"}
        config[name] = {k: v for k, v in config[name].items() if k in kept}
    path.write_text(json.dumps(config))
    assert TrainedReplicate.read(trained.folder).load_generator() is not None
    settings = make_settings("unet").model_dump(mode="json")
    for name in ("network", "objective"):
        settings[name] = {k: v for k, v in settings[name].items() if k in kept}
    del settings["inference"]["flips"]
    text = json.dumps(
        {"status": "trained", "reason": "", "replicates": [], "settings": settings}
    )
    read = TrainedModel.from_json(text, trained.folder)
    assert read.settings == make_settings("unet")


def test_model_that_was_not_run_has_no_history():
    assert TrainedModel("not run", "switched off", (), None).history().empty
