"""Promotion with a real registry and real weights; score differences are added."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from safetensors.torch import save_file

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import file_digest
from image_translation.common.stamps import Stamp
from image_translation.metrics import score_images
from image_translation.pairing.arrays import PairArrays
from image_translation.registry import chosen_models, promotion, versions
from image_translation.runs.store import connection
from image_translation.statistics.promotion_rule import spend, unspent
from image_translation.statistics.settings import PromotionSettings
from image_translation.training.ensemble import combine
from image_translation.training.fitting import fit
from image_translation.training.inference import translate
from image_translation.training.trained import TrainedModel, TrainedReplicate
from tests.training.conftest import make_pairs, make_settings

RULE = PromotionSettings(metric="psnr", guard="ssim", margin=0.01)
SETTINGS = make_settings("unet", training__epochs=1)


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    """Real weights, from which other weights are derived."""
    folder = tmp_path_factory.mktemp("trained") / "replicate-0"
    return fit(SETTINGS, make_pairs(6), make_pairs(4, 1), folder)


@pytest.fixture(scope="module")
def pairs():
    """Twelve test pairs, each a group of its own."""
    return make_pairs(12, seed=3)


class World:
    """A task with its own registered model, for a series of decisions."""

    def __init__(self, name, folder, trained, pairs):
        self.task, self.folder, self.trained, self.pairs = name, folder, trained, pairs
        self.log = self.pair_looks = None

    def model(self, number, noise=0.0, validation=20.0, settings=SETTINGS):
        """A model with its own digest; its weights are the trained ones plus noise."""
        folder = self.folder / f"model-{number}" / "replicate-0"
        folder.mkdir(parents=True)
        state = self.trained.load_generator().state_dict()
        torch.manual_seed(number)
        for name, value in state.items():
            if value.is_floating_point():
                state[name] = value + noise * torch.randn_like(value)
        weights = folder / "weights.safetensors"
        save_file(state, weights, metadata={"number": str(number)})
        config = {**self.trained.config, "weights_sha256": file_digest(weights)}
        (folder / "config.json").write_text(pd.Series(config).to_json())
        rows = {"epoch": [1], "seconds": [1.0], "validation/psnr": [validation]}
        pd.DataFrame(rows).to_csv(folder / "history.csv", index=False)
        Stamp(folder).write("f")
        replicate = TrainedReplicate(folder, config)
        return TrainedModel("trained", "", (replicate,), settings)

    def scores(self, model, pairs, psnr=0.0, ssim=0.0):
        """Scores of the model plus given differences."""
        generator = model.replicates[0].load_generator()
        images = np.concatenate(
            list(translate(generator, pairs.inputs, SETTINGS.inference))
        )
        table = score_images(images, pairs.targets)
        table["psnr"] += psnr * np.linspace(0.9, 1.1, len(table))
        table["ssim"] += ssim
        return pd.concat([pairs.index.assign(replicate=0), table], axis=1)

    def decide(self, models, gains, pairs=None, split=None, *, is_sealed=False):
        pairs = pairs or self.pairs
        decided = promotion.decide(
            self.task,
            RULE,
            models,
            {
                name: self.scores(model, pairs, *gains.get(name, ()))
                for name, model in models.items()
            },
            pairs,
            self.folder / "champions",
            self.log,
            split=split,
            pair_looks=self.pair_looks,
            is_sealed=is_sealed,
        )
        self.log, self.pair_looks = decided.log, decided.pair_looks
        return decided.record


@pytest.fixture
def world(store, trained_once, pairs, tmp_path, request):
    name = re.sub(r"\W", lambda found: f"{ord(found[0]):x}", request.node.name)
    MlflowClient().create_experiment(name, artifact_location=tmp_path.as_uri())
    return World(name, tmp_path, trained_once, pairs)


def renamed(pairs, prefix, first=0):
    """The same images with other pair ids, from pair number ``first`` on."""
    names = pairs.index["pair_id"]
    index = pairs.index.assign(pair_id=names.where(names.index < first, prefix + names))
    return PairArrays(pairs.inputs, pairs.targets, index, prefix + pairs.fingerprint)


def in_use(world):
    version = versions.find_version(world.task, "champion")
    return version and int(version.version)


@pytest.mark.parametrize(
    ("validation", "outcome"), [(20.9, "kept"), (21.0, "kept"), (21.1, "promoted")]
)
def test_first_champion_is_better_than_the_baselines(world, validation, outcome):
    copy = world.model(1, validation=21.0, settings=make_settings("copy_input"))
    models = {"copy_input": copy, "unet": world.model(2, validation=validation)}
    record = world.decide(models, {})
    assert record["outcome"] == outcome
    assert (in_use(world) is not None) == (outcome == "promoted")
    if outcome == "kept":
        assert record["reason"].startswith("nothing is worth using yet")
        assert "copy_input is as good as or better than unet" in record["reason"]


def test_first_challenger_becomes_champion_without_a_comparison(world):
    assert in_use(world) is None
    assert versions.champion(world.task, world.folder / "champions") is None
    models = {
        "worse": world.model(1, validation=19.0),
        "chosen": world.model(2, validation=21.0),
    }
    record = world.decide(models, {})
    assert (record["outcome"], record["test"]["looks"]) == ("promoted", 0)
    assert record["in_use"]["model"] == "chosen"
    champion = versions.champion(world.task, world.folder / "champions")
    assert champion.tags["model"] == "chosen"
    assert champion.tags["replicate"] == "0"
    assert champion.tags["run"] == record["in_use"]["run"]
    expected = models["chosen"].replicates[0].load_generator().state_dict()
    found = champion.trained.load_generator().state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_comparisons_and_registrations_are_not_repeated(world):
    first = {"a": world.model(1)}
    world.decide(first, {})
    assert world.decide(first, {})["outcome"] == "unchanged"
    second = {"a": world.model(2)}
    kept = world.decide(second, {"a": (-3.0,)})
    again = world.decide(second, {"a": (-3.0,)})
    assert [kept["outcome"], again["outcome"]] == ["kept", "kept"]
    assert "decided on" in again["reason"]
    assert kept["test"]["looks"] == again["test"]["looks"] == 1
    assert len(world.log) == 2
    other = renamed(make_pairs(11, seed=4), "other")
    assert world.decide(second, {"a": (-3.0,)}, other)["test"]["looks"] == 1
    third = world.decide({"a": world.model(3)}, {"a": (-3.0,)})
    assert third["test"]["looks"] == 2
    assert third["challenger"]["version"] == 3


def test_look_count_continues_for_a_test_set_that_shares_a_pair(world):
    world.decide({"a": world.model(1)}, {})
    world.decide({"a": world.model(2)}, {"a": (-3.0,)})
    grown = renamed(world.pairs, "new", first=1)
    record = world.decide({"a": world.model(3)}, {"a": (-3.0,)}, grown)
    assert record["test"]["looks"] == 2
    assert record["test"]["alpha"] == spend(2) == world.log["alpha"].iloc[-1]
    assert record["test"]["alpha_left"] == unspent(2)
    fresh = renamed(world.pairs, "fresh")
    record = world.decide({"a": world.model(4)}, {"a": (-3.0,)}, fresh)
    assert record["test"]["looks"] == 1


def test_looks_in_the_log_count_without_pair_looks(world):
    world.decide({"a": world.model(1)}, {})
    world.decide({"a": world.model(2)}, {"a": (-3.0,)})
    world.pair_looks = None
    world.log = world.log.drop(columns=["alpha", "alpha_left"])
    record = world.decide({"a": world.model(3)}, {"a": (-3.0,)})
    assert record["test"]["looks"] == 2


def test_sealed_test_set_prevents_decisions_and_spends_no_error(world):
    world.decide({"a": world.model(1)}, {})
    log = world.log
    record = world.decide({"a": world.model(2)}, {"a": (3.0,)}, is_sealed=True)
    assert record["outcome"] == "not decided"
    assert record["reason"] == "the test set is sealed"
    assert (record["test"], record["in_use"]["version"]) == (None, 1)
    assert world.log is log and world.pair_looks.empty
    assert in_use(world) == 1


def test_challenger_is_chosen_by_its_last_epochs_not_its_best(world):
    models = {"noisy": world.model(1), "steady": world.model(2)}
    curves = {"noisy": [15.0, 25.0, 16.0, 15.0], "steady": [15.0, 18.0, 19.0, 20.0]}
    for name, curve in curves.items():
        path = models[name].replicates[0].folder / "history.csv"
        rows = {"epoch": range(1, 5), "seconds": 1.0, "validation/psnr": curve}
        pd.DataFrame(rows).to_csv(path, index=False)
    assert world.decide(models, {})["challenger"]["model"] == "steady"


@pytest.mark.parametrize(
    ("gains", "outcome"),
    [
        ((3.0, 0.0), "promoted"),
        ((0.0, 0.0), "kept"),
        ((-3.0, 0.0), "kept"),
        ((3.0, -0.5), "kept"),
    ],
    ids=["better", "equal", "worse", "guard"],
)
def test_challenger_is_promoted_only_if_better_and_within_guard_margin(
    world, gains, outcome
):
    world.decide({"a": world.model(1)}, {})
    record = world.decide({"a": world.model(2)}, {"a": gains})
    assert record["outcome"] == outcome
    assert in_use(world) == (2 if outcome == "promoted" else 1)
    assert world.log["outcome"].tolist() == ["promoted", outcome]
    assert record["metric"]["n_groups"] == 12


def test_worse_weights_are_not_promoted(world):
    world.decide({"a": world.model(1)}, {})
    ruined = world.model(2, noise=5.0)
    assert world.decide({"a": ruined}, {})["outcome"] == "kept"
    assert in_use(world) == 1


def test_better_weights_are_promoted(world):
    world.decide({"a": world.model(1, noise=5.0)}, {})
    assert world.decide({"a": world.model(2)}, {})["outcome"] == "promoted"
    assert in_use(world) == 2


def test_rollback_restores_the_previous_champion_and_persists(world):
    world.decide({"a": world.model(1)}, {})
    better = {"a": world.model(2)}
    world.decide(better, {"a": (3.0,)})
    assert in_use(world) == 2
    rolled = promotion.roll_back(world.task, world.log)
    world.log = rolled.log
    assert in_use(world) == 1
    assert rolled.record["in_use"]["version"] == 1
    record = world.decide(better, {"a": (3.0,)})
    assert record["outcome"] == "kept"
    assert "rolled back" in record["reason"]
    assert in_use(world) == 1
    by_hand = promotion.promote_by_hand(world.task, 2, world.log)
    assert by_hand.record["in_use"]["version"] == 2
    assert in_use(world) == 2


def test_rollback_without_a_previous_champion_is_rejected(world):
    with pytest.raises(InputError, match="has no champion; there"):
        promotion.roll_back(world.task, None)
    world.decide({"a": world.model(1)}, {})
    with pytest.raises(InputError, match="no previous champion.* no other version"):
        promotion.roll_back(world.task, None)
    with pytest.raises(InputError, match="no version 7; existing versions: 1"):
        promotion.promote_by_hand(world.task, 7, None)


def test_champion_of_another_image_size_is_kept(world):
    world.decide({"a": world.model(1)}, {})
    small = world.pairs
    large = PairArrays(
        small.inputs.repeat(2, axis=1).repeat(2, axis=2),
        small.targets.repeat(2, axis=1).repeat(2, axis=2),
        small.index,
        "large",
    )
    challenger = {"a": world.model(2)}
    scores = {"a": world.scores(challenger["a"], small)}
    decided = promotion.decide(
        world.task, RULE, challenger, scores, large, world.folder / "c", world.log
    )
    assert decided.record["outcome"] == "kept"
    assert "kedro promote" in decided.record["reason"]


def test_champion_with_incompatible_weights_is_kept(world, tmp_path):
    world.decide({"a": world.model(1)}, {})
    (file,) = tmp_path.glob("models/*/artifacts/**/weights.safetensors")
    save_file({"code": torch.zeros(3)}, file)
    sha256 = file_digest(file)
    config = file.with_name("config.json")
    content = {**json.loads(config.read_text()), "weights_sha256": sha256}
    config.write_text(json.dumps(content))
    MlflowClient().set_model_version_tag(world.task, "1", "weights_sha256", sha256)
    record = world.decide({"a": world.model(2)}, {"a": (3.0,)})
    assert record["outcome"] == "kept"
    assert "cannot be compared" in record["reason"]
    assert "does not fit the network" in record["reason"]
    assert "kedro promote" in record["reason"]


def test_champion_is_reported_if_no_model_was_trained(world):
    world.decide({"a": world.model(1)}, {})
    failed = TrainedModel("failed", "diverged", (), SETTINGS)
    record = promotion.decide(
        world.task, RULE, {"a": failed}, {}, world.pairs, world.folder, world.log
    ).record
    assert (record["outcome"], record["reason"]) == ("kept", "no model was trained")
    assert record["in_use"]["model"] == "a"


def test_unreachable_registry_prevents_decisions(world, monkeypatch):
    monkeypatch.setattr(connection, "failure", "gone")
    record = world.decide({"a": world.model(1)}, {})
    assert record["outcome"] == "not decided"
    assert record["challenger"]["model"] == "a"
    assert len(world.log) == 0


def test_removed_champion_alias_prevents_promotion(world):
    world.decide({"a": world.model(1)}, {})
    better = {"a": world.model(2)}
    world.decide(better, {"a": (3.0,)})
    promotion.roll_back(world.task, world.log)
    MlflowClient().delete_registered_model_alias(world.task, "champion")
    for models in (better, {"a": world.model(3)}):
        record = world.decide(models, {"a": (3.0,)})
        assert record["outcome"] == "kept"
        assert "kedro promote" in record["reason"]
        assert "--version=1 with the --env of this run" in record["reason"]
    assert in_use(world) is None


def test_champion_that_changes_during_a_decision_is_kept(world, monkeypatch):
    world.decide({"a": world.model(1)}, {})
    world.decide({"a": world.model(2)}, {"a": (-3.0,)})
    third = {"a": world.model(3)}
    score = promotion._score

    def score_slowly(*arguments):
        versions.promote_by_hand(world.task, 2)
        return score(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(promotion, "_score", score_slowly)
        record = world.decide(third, {"a": (3.0,)})
    assert record["outcome"] == "not decided"
    assert in_use(world) == 2
    assert record["test"]["looks"] == 2
    assert world.decide(third, {"a": (3.0,)})["outcome"] == "promoted"
    assert world.log["look"].dropna().tolist() == [1, 2, 3]


def test_look_counts_if_the_store_fails_after_the_comparison(world, monkeypatch):
    world.decide({"a": world.model(1)}, {})
    better = {"a": world.model(2)}

    def fail(*arguments):
        raise MlflowException("API request failed")

    with monkeypatch.context() as patch:
        patch.setattr(versions, "promote", fail)
        record = world.decide(better, {"a": (3.0,)})
    connection.renew()
    assert (record["outcome"], record["test"]["looks"]) == ("not decided", 1)
    record = world.decide(better, {"a": (3.0,)})
    assert (record["outcome"], record["test"]["looks"]) == ("promoted", 2)


def test_same_weights_with_another_protocol_are_a_new_version(world):
    plain = world.model(1)
    world.decide({"a": plain}, {})
    settings = make_settings("unet", training__epochs=1, inference__flips=True)
    folder = world.model(2, settings=settings).replicates[0].folder
    for name in ("weights.safetensors", "config.json"):
        shutil.copy(plain.replicates[0].folder / name, folder)
    replicate = TrainedReplicate.read(folder)
    flipping = TrainedModel("trained", "", (replicate,), settings)
    record = world.decide({"a": flipping}, {"a": (3.0,)})
    assert record["outcome"] == "promoted"
    champion = versions.champion(world.task, world.folder / "champions")
    assert (champion.version, champion.inference["flips"]) == (2, True)


def test_scores_by_another_temperature_prevent_decisions(world):
    model = world.model(1, settings=make_settings("classes"))
    assert world.decide({"a": model}, {})["outcome"] == "promoted"
    vivid = make_settings("classes", inference__temperature=0.2)
    record = world.decide({"a": replace(model, settings=vivid)}, {"a": (3.0,)})
    assert record["outcome"] == "not decided"
    assert "set it back, or train with training.force=true" in record["reason"]
    assert in_use(world) == 1


def test_missing_champion_files_prevent_decisions(world, tmp_path):
    world.decide({"a": world.model(1)}, {})
    for folder in tmp_path.glob("models/*/artifacts"):
        folder.rename(folder.with_name("away"))
    better = {"a": world.model(2)}
    record = world.decide(better, {"a": (3.0,)})
    assert record["outcome"] == "not decided"
    assert record["is_champion_lost"]
    assert "missing from MLflow's artifact store" in record["reason"]
    assert "promote another version (2)" in record["reason"]
    for folder in tmp_path.glob("models/*/away"):
        folder.rename(folder.with_name("artifacts"))
    assert world.decide(better, {"a": (3.0,)})["outcome"] == "promoted"


def test_unchanged_champion_without_files_is_reported(world, tmp_path):
    models = {"a": world.model(1)}
    world.decide(models, {})
    assert world.decide(models, {})["outcome"] == "unchanged"
    shutil.rmtree(tmp_path / "champions")
    for file in tmp_path.glob("models/*/artifacts/**/weights.safetensors"):
        file.unlink()
    record = world.decide(models, {})
    assert (record["outcome"], record["is_champion_lost"]) == ("not decided", True)
    assert "missing from MLflow's artifact store" in record["reason"]


def test_version_registered_elsewhere_is_rejected(world, tmp_path):
    world.decide({"a": world.model(1)}, {})
    client = MlflowClient()
    foreign = client.create_model_version(world.task, tmp_path.as_uri())
    with pytest.raises(InputError, match="has no tag weights_sha256; promote another"):
        promotion.promote_by_hand(world.task, 2, world.log)
    client.set_registered_model_alias(world.task, "champion", foreign.version)
    record = world.decide({"a": world.model(3)}, {"a": (3.0,)})
    assert record["outcome"] == "not decided"
    assert "no tag weights_sha256" in record["reason"]


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("weights_sha256", "../" * 21 + "x"),
        ("weights_sha256", "ab" * 31),
        ("weights_sha256", "AB" * 32),
        ("protocol", "/../../../../victim"),
        ("protocol", ".."),
        ("protocol", "ab" * 8 + "\n"),
        ("model", "../victim"),
        ("model", "a/b"),
        ("model", "="),
        ("model", ""),
        ("replicate", "-1"),
        ("replicate", "0; rm"),
        ("run", "../../x"),
    ],
)
def test_version_with_a_hostile_tag_is_refused_by_name(world, tmp_path, tag, value):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("kept")
    world.decide({"a": world.model(1)}, {})
    MlflowClient().set_model_version_tag(world.task, "1", tag, value)
    before = sorted(tmp_path.rglob("*"))
    for look_up in (
        lambda: versions.champion(world.task, tmp_path / "cache/champions"),
        lambda: chosen_models.identify_champion(world.task, tmp_path / "cache"),
        lambda: promotion.promote_by_hand(world.task, 1, world.log),
    ):
        with pytest.raises(InputError, match=f"version 1 of .*its tag {tag} is"):
            look_up()
    assert sorted(tmp_path.rglob("*")) == before
    record = world.decide({"a": world.model(3)}, {"a": (3.0,)})
    assert record["outcome"] == "not decided" and tag in record["reason"]
    assert (victim / "file").read_text() == "kept"


def test_weights_of_another_digest_than_the_tag_are_refused(world, tmp_path):
    world.decide({"a": world.model(1)}, {})
    MlflowClient().set_model_version_tag(world.task, "1", "weights_sha256", "ab" * 32)
    with pytest.raises(InputError, match="weights do not match its tag"):
        versions.champion(world.task, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_damaged_champion_is_fetched_again(world, tmp_path):
    world.decide({"a": world.model(1)}, {})
    folder = tmp_path / "cache"
    good = versions.champion(world.task, folder)
    weights = good.trained.folder / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    again = versions.champion(world.task, folder)
    assert again.trained.folder == good.trained.folder
    again.trained.load_generator()


def test_only_the_champion_has_weights_apart_from_its_replicate(world):
    models = {"a": world.model(1)}, {"a": world.model(2)}
    world.decide(models[0], {})
    world.decide(models[1], {"a": (-3.0,)})
    champion, challenger = (
        (world.folder / name / "replicate-0" / "weights.safetensors")
        for name in ("model-1", "model-2")
    )
    assert champion.stat().st_nlink == 1
    assert challenger.stat().st_nlink == 2  # the other one is in MLflow
    champion.write_bytes(b"damaged in place")
    shutil.rmtree(world.folder / "champions")
    versions.champion(world.task, world.folder / "champions").trained.load_generator()
    promotion.promote_by_hand(world.task, 2, world.log)
    assert challenger.stat().st_nlink == 1


def test_ensemble_becomes_champion_by_the_same_rule(world):
    settings = make_settings("unet", training__epochs=1, ensemble=True)
    members = [world.model(n, noise=0.01).replicates[0] for n in (1, 2)]
    model = TrainedModel("trained", "", tuple(members), settings)
    ensemble = combine(
        "a_ensemble", model, make_pairs(4, 1), world.folder / "a_ensemble"
    )
    world.decide({"a": world.model(3, validation=-1.0)}, {})
    record = world.decide({"a_ensemble": ensemble}, {"a_ensemble": (3.0,)})
    assert (record["outcome"], record["in_use"]["model"]) == ("promoted", "a_ensemble")
    champion = versions.champion(world.task, world.folder / "champions")
    generator = champion.trained.load_generator()
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    with torch.inference_mode():
        expected = sum(member.load_generator()(images) for member in members) / 2
        assert torch.allclose(generator(images), expected, atol=1e-6)


def test_rollback_skips_versions_that_were_rolled_back(world):
    world.decide({"a": world.model(1)}, {})
    world.decide({"a": world.model(2)}, {"a": (3.0,)})
    world.decide({"a": world.model(3)}, {"a": (6.0,)})
    promotion.roll_back(world.task, world.log)
    assert in_use(world) == 2
    promotion.promote_by_hand(world.task, 3, world.log)
    versions.roll_back(world.task)
    assert in_use(world) == 2
    versions.roll_back(world.task)
    assert in_use(world) == 1
    with pytest.raises(InputError, match=r"no previous champion.* \(2, 3\)"):
        versions.roll_back(world.task)


def split_of(pairs, others=()):
    """A split with these test pairs, and the files of ``others`` as training pairs."""
    rows = [(name, name, "test") for name in pairs.index["pair_id"]]
    rows += [(f"other {name}", name, "train") for name in others]
    split = pd.DataFrame(rows, columns=["pair_id", "file", "split"])
    return split.assign(
        group=split["pair_id"],
        input_sha256="in-" + split["file"],
        target_sha256="of-" + split["file"],
    )


@pytest.mark.parametrize(
    ("n_seen", "outcome"), [(0, "promoted"), (2, "promoted"), (3, "kept"), (12, "kept")]
)
def test_groups_with_files_of_the_champion_are_excluded(world, n_seen, outcome):
    seen = world.pairs.index["pair_id"][:n_seen]
    world.decide({"a": world.model(1)}, {}, split=split_of(world.pairs, seen))
    now = split_of(world.pairs)
    record = world.decide({"a": world.model(2)}, {"a": (3.0,)}, split=now)
    assert record["outcome"] == outcome
    assert ("files of the champion" in record["reason"]) == (n_seen > 0)
    if n_seen == 12:
        assert record["metric"] is None
    else:
        assert record["metric"]["n_groups"] == 12 - n_seen


def test_champion_of_other_pairs_is_mentioned(world, caplog):
    world.decide({"a": world.model(1)}, {}, split=split_of(world.pairs, ["gone"]))
    now = split_of(world.pairs, ["new"])
    record = world.decide({"a": world.model(2)}, {"a": (0.0,)}, split=now)
    assert record["outcome"] == "kept"
    assert "the champion was trained on other pairs" in record["reason"]
    assert "(--params name=<name>)" in caplog.text
