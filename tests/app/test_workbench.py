import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio

from image_translation.app import workbench
from image_translation.app.settings import AppSettings
from image_translation.app.workbench import TaskModels, Workbench
from image_translation.common.errors import InputError
from image_translation.registry.versions import promote, register
from image_translation.runs.backlog import send_training
from image_translation.runs.training_run import describe_training, record_finished
from image_translation.training import train
from image_translation.training.inference import prepare
from image_translation.training.settings import InferenceSettings
from image_translation.translation import runtime
from image_translation.translation.encoded_images import Translator, translate_encoded
from tests.training.conftest import BLOCK, make_pairs, make_settings
from tests.translation.conftest import make_settings as make_translation

TRANSLATION = make_translation(strategy="guided")
SETTINGS = AppSettings(max_upload_mb=1, max_seconds=300, at_once=1, waiting=9)
MLFLOW = "http://127.0.0.1:5000"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two models, a baseline, and one that did not run."""
    folder = tmp_path_factory.mktemp("models")
    pairs = make_pairs(4), make_pairs(2, seed=1)
    settings = {
        "unet": make_settings("unet", training__epochs=1),
        "autoencoder": make_settings("autoencoder", training__epochs=1),
        "copy_input": make_settings("copy_input"),
        "pix2pix": make_settings("pix2pix", enabled=False),
    }
    return {
        name: train(name, setting, *pairs, folder / name)
        for name, setting in settings.items()
    }


@pytest.fixture
def photograph(tmp_path):
    slope = np.linspace(30, 220, 60 * 40).reshape(40, 60).astype(np.uint8)
    Image.fromarray(slope).save(tmp_path / "grey.jpg", dpi=(300, 300))
    return tmp_path / "grey.jpg"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "session").mkdir()
    return tmp_path / "session"


def make_bench(
    models,
    champions,
    comparison=None,
    translation=TRANSLATION,
    white=None,
    **limits,
):
    results = TaskModels(
        models={name: make_settings(name) for name in ("unet", "autoencoder")},
        translation=translation,
        trained=lambda: models,
        champions=champions,
        metric="psnr",
        exports=dict,
        comparison=lambda: comparison,
        white=white,
    )
    nothing = TaskModels({}, TRANSLATION, dict, champions, "psnr", dict, lambda: None)
    settings = SETTINGS.model_copy(update=limits)
    return Workbench({"monet": nothing, "colorization": results}, settings, MLFLOW)


def make_comparison(n_groups=12):
    rows = [
        {
            "model": model,
            "metric": metric,
            "mean": mean,
            "ci_low": mean - 1,
            "ci_high": mean + 1,
            "n_images": 40,
            "n_groups": n_groups,
        }
        for model in ("unet", "autoencoder")
        for metric, mean in (("psnr", 21.5), ("mae", 3.0))
    ]
    return pd.DataFrame(rows)


@pytest.mark.usefixtures("store")
def test_tasks_and_models_are_the_trained_ones(models, tmp_path):
    bench = make_bench(models, tmp_path)
    assert bench.tasks() == ["colorization"]
    first, *others = bench.models("colorization").items()
    best = first[0].removesuffix(" (best on validation)")
    assert first[1] == "champion" and best in ("unet", "autoencoder")
    (other,) = {"unet", "autoencoder"} - {best}
    assert dict(others) == {other: other}
    assert set(bench.all_models()) == {"champion", best, other}


@pytest.mark.usefixtures("store")
def test_translations_equal_those_of_the_pipeline(models, photograph, folder, tmp_path):
    bench = make_bench(models, tmp_path)
    progress = []
    made = bench.translate(
        "colorization",
        ["unet", "autoencoder"],
        photograph,
        "my grey.jpg",
        folder,
        lambda share, doing: progress.append(share),
    )
    for name, one in zip(("unet", "autoencoder"), made, strict=True):
        translator = Translator.read(
            models[name].replicates[0],
            InferenceSettings.model_validate(BLOCK["inference"]),
            make_translation(strategy="guided"),
        )
        expected = translate_encoded(translator, photograph.read_bytes())
        assert one.file.read_bytes() == expected
        assert (one.label.split()[0], one.size) == (name, "60 × 40")
        assert one.file.name == f"my grey-{name}.jpg"
    assert made[0].file.read_bytes() != made[1].file.read_bytes()
    assert progress == [0, 0.5]
    with Image.open(made[0].after) as image:
        assert image.size == (60, 40)


@pytest.mark.usefixtures("store")
def test_before_is_what_the_network_sees(models, folder, tmp_path):
    Image.new("RGB", (60, 40), (200, 40, 40)).save(tmp_path / "red.png")
    translation = TRANSLATION.model_copy(update={"grey_input": True})
    bench = make_bench(models, tmp_path, translation=translation)
    (one,) = bench.translate(
        "colorization", ["unet"], tmp_path / "red.png", "red.png", folder
    )
    with Image.open(one.before) as image:
        red, green, blue = np.array(image, dtype=int).mean((0, 1))
    assert abs(red - blue) < 3 > abs(red - green)


@pytest.mark.usefixtures("store")
def test_network_is_loaded_once_for_many_photographs(
    models, photograph, tmp_path, monkeypatch
):
    prepared = []
    monkeypatch.setattr(
        runtime,
        "prepare",
        lambda *given: prepared.append(1) or prepare(*given),
    )
    bench = make_bench(models, tmp_path)
    for number in range(2):
        folder = tmp_path / f"visit {number}"
        folder.mkdir()
        bench.translate("colorization", ["unet"], photograph, "a.jpg", folder)
    assert len(prepared) == 1


@pytest.mark.usefixtures("store")
def test_suffix_changes_only_with_the_format(models, folder, tmp_path):
    Image.new("P", (20, 30)).save(tmp_path / "drawing.gif")
    bench = make_bench(models, tmp_path)
    (one,) = bench.translate(
        "colorization", ["unet"], tmp_path / "drawing.gif", "drawing.gif", folder
    )
    assert one.file.name == "drawing-unet.png"
    with Image.open(one.file) as image:
        assert (image.format, image.size) == ("PNG", (20, 30))


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("groups", "about"),
    [
        (12, "40 test images of 12 photographs, with 95 % intervals"),
        (3, "with 95 % intervals: too few to be trusted"),
    ],
)
def test_translation_has_scores(models, photograph, folder, tmp_path, groups, about):
    bench = make_bench(models, tmp_path, make_comparison(groups))
    (one,) = bench.translate("colorization", ["unet"], photograph, "a.jpg", folder)
    (score,) = one.scores
    assert score.metric == "PSNR"
    assert [text.replace("\xa0", " ") for text in (score.value, score.interval)] == [
        "21.50 dB",
        "20.50 to 22.50 dB",
    ]
    assert about in one.about_scores
    assert one.about_scores.startswith("Test scores of squares of 32 × 32 pixels")


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("strategy", "scale", "seen"),
    [
        ("luminance", 2, "96 × 64"),
        ("guided", 1, "48 × 32"),
        ("tiles", 2, "60 × 40"),
        ("resize", 1, "32 × 32"),
    ],
)
def test_picture_says_how_it_was_made(
    models, photograph, folder, tmp_path, strategy, scale, seen
):
    translation = make_translation(strategy=strategy, scale=scale)
    bench = make_bench(models, tmp_path, translation=translation)
    (one,) = bench.translate("colorization", ["unet"], photograph, "a.jpg", folder)
    assert one.strategy == f"{strategy} at {seen} pixels"


@pytest.mark.usefixtures("store")
def test_picture_of_a_colour_photograph_is_scored_against_it(models, folder, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    pixels[..., 0] //= 2
    photo = tmp_path / "colours.png"
    Image.fromarray(pixels).save(photo)
    grey_input = TRANSLATION.model_copy(update={"grey_input": True})
    bench = make_bench(models, tmp_path, translation=grey_input)
    (one,) = bench.translate("colorization", ["unet"], photo, photo.name, folder)
    with Image.open(one.file) as image:
        made = np.asarray(image)
    grey = np.asarray(Image.open(photo).convert("L").convert("RGB"))
    found = {s.metric: (s.value.replace("\xa0", " "), s.grey) for s in one.own_scores}
    psnr, left_grey = (
        peak_signal_noise_ratio(pixels, other, data_range=255) for other in (made, grey)
    )
    lab = rgb2lab(pixels)
    assert found["PSNR"][0] == f"{psnr:.2f} dB"
    assert abs(float(found["PSNR"][1].split()[0]) - left_grey) < 0.02
    assert found["CIEDE2000"][0] == f"{deltaE_ciede2000(lab, rgb2lab(made)).mean():.2f}"


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("grey_input", [True, False])
def test_picture_without_an_original_is_not_scored(
    models, photograph, folder, tmp_path, grey_input
):
    """A photograph without colours, or a network that sees the colours."""
    if not grey_input:
        Image.new("RGB", (60, 40), (200, 40, 40)).save(photograph)
    translation = TRANSLATION.model_copy(update={"grey_input": grey_input})
    bench = make_bench(models, tmp_path, translation=translation)
    (one,) = bench.translate("colorization", ["unet"], photograph, "a.jpg", folder)
    assert not one.own_scores


@pytest.mark.usefixtures("store")
def test_without_a_comparison_there_are_no_scores(models, photograph, folder, tmp_path):
    bench = make_bench(models, tmp_path)
    (one,) = bench.translate("colorization", ["unet"], photograph, "a.jpg", folder)
    assert not one.scores and one.about_scores == "Not compared yet."


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "custom"}, "Unknown task 'custom'"),
        ({"wanted": []}, "select at least one"),
        ({"wanted": ["all"]}, "no trained model 'all' of colorization, only champion"),
        ({"wanted": ["../unet"]}, "no trained model"),
        ({"wanted": ["copy_input"]}, "no trained model 'copy_input'"),
        ({"task": "monet"}, "none at all; train it: kedro run --pipeline=monet"),
    ],
)
def test_unknown_task_or_model_is_an_error(
    models, photograph, folder, tmp_path, change, message
):
    asked = {"task": "colorization", "wanted": ["unet"], **change}
    bench = make_bench(models, tmp_path)
    with pytest.raises(InputError, match=message):
        bench.translate(**asked, source=photograph, name="a.jpg", folder=folder)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("content", [b"", b"Dear diary,\n"])
def test_invalid_photograph_is_an_error(models, folder, tmp_path, content):
    (tmp_path / "given").write_bytes(content)
    bench = make_bench(models, tmp_path)
    with pytest.raises(InputError, match=r"notes\.png cannot be translated: .*JPEG"):
        bench.translate(
            "colorization", ["unet"], tmp_path / "given", "notes.png", folder
        )


@pytest.mark.usefixtures("store")
def test_translation_beyond_the_time_limit_is_stopped(
    models, photograph, folder, tmp_path
):
    bench = make_bench(models, tmp_path, max_seconds=1e-9)
    with pytest.raises(InputError, match=r"a\.jpg takes longer.*app\.max_seconds"):
        bench.translate("colorization", ["unet"], photograph, "a.jpg", folder)


@pytest.fixture
def versions(store, models, tmp_path):  # noqa: F811
    """Registered: the unet on disk, and one of another training, which is not."""
    other = train(
        "unet",
        make_settings("unet", training__epochs=1, training__seed=9),
        make_pairs(4),
        make_pairs(2, seed=1),
        tmp_path / "elsewhere",
    )
    registered = []
    for model in (models["unet"], other):
        (replicate,) = model.replicates
        run = describe_training(
            "colorization",
            "unet",
            0,
            model.settings,
            replicate.cost,
            TRANSLATION.model_dump(),
        )
        record_finished(replicate.folder, run)
        sent = send_training(replicate.folder)
        tags = {"model": "unet", "replicate": "0", "run": sent.run_id}
        registered.append(
            register("colorization", replicate, run["inference"], sent.model_id, tags)
        )
    return registered


@pytest.fixture
def served(monkeypatch):
    """A local MLflow responds."""
    monkeypatch.setattr(workbench, "is_served", lambda server: server == MLFLOW)


@pytest.mark.usefixtures("served")
def test_new_champion_is_used_at_once(versions, models, photograph, folder, tmp_path):
    """After a promotion in the registry, without a restart of the workbench."""
    bench = make_bench(models, tmp_path / "champions", make_comparison())
    made = []
    for number, version in enumerate((*versions, versions[0])):
        promote(version)
        (folder / str(number)).mkdir()
        made += bench.translate(
            "colorization", ["champion"], photograph, "a.jpg", folder / str(number)
        )
    first, second, third = (one.file.read_bytes() for one in made)
    assert first == third != second
    assert made[1].label == f"unet (in use, version {versions[1].version})"
    listed = [list(bench.models("colorization").values())]
    promote(versions[1])
    listed.append(list(bench.models("colorization").values()))
    assert listed == [["champion", "autoencoder"], ["champion", "unet", "autoencoder"]]
    runs = [one.run_page.removeprefix(f"{MLFLOW}/#/experiments/") for one in made]
    assert runs[1].endswith(f"/runs/{versions[1].tags['run']}")
    assert [bool(one.scores) for one in made] == [True, False, True]
    assert "another training" in made[1].about_scores


def test_champion_whose_network_was_removed_is_not_in_use(
    versions, models, tmp_path, monkeypatch, caplog
):
    promote(versions[0])
    bench = make_bench(models, tmp_path / "champions")
    assert next(iter(bench.models("colorization"))).startswith("unet (in use, version")
    monkeypatch.setattr("image_translation.training.trained.NETWORKS", ["autoencoder"])
    assert next(iter(bench.models("colorization"))).endswith("(best on validation)")
    assert "Skipping the champion of colorization" in caplog.text
    assert not (tmp_path / "champions").exists()


def make_slow(folder, suffix):
    """A PPM file of comments, which Pillow reads byte by byte."""
    header = b"P6\n" + b"#" * 20_000_000 + b"\n1 1\n255\nabc"
    if suffix == "plain":
        header = b"P3\n1 1\n255\n" + b"#\n" * 20_000_000 + b"1 2 3"
    (folder / "slow.ppm").write_bytes(header)
    return folder / "slow.ppm"


@pytest.mark.parametrize("suffix", ["binary", "plain"])
def test_decoding_counts_towards_the_time_limit(models, tmp_path, folder, suffix):
    bench = make_bench(models, tmp_path, max_seconds=0.3)
    slow = make_slow(tmp_path, suffix)
    start = time.monotonic()
    with pytest.raises(InputError, match=r"slow\.ppm takes longer than 0\.3 seconds"):
        bench.open_photo(slow, slow.name)
    with pytest.raises(InputError, match=r"slow\.ppm takes longer than 0\.3 seconds"):
        bench.translate("colorization", ["unet"], slow, slow.name, folder)
    assert time.monotonic() - start < 3


@pytest.mark.usefixtures("store")
def test_photographs_are_read_with_the_white_of_the_task(models, folder, tmp_path):
    Image.fromarray(np.full((40, 40), 4095, np.uint16)).save(tmp_path / "deep.png")
    bench = make_bench(models, tmp_path, white=4095)
    photo = bench.open_photo(tmp_path / "deep.png", "deep.png", "colorization")
    assert photo.pixels.min() == 255
    assert bench.open_photo(tmp_path / "deep.png", "deep.png").pixels.max() == 16
    (made,) = bench.translate(
        "colorization", ["unet"], tmp_path / "deep.png", "deep.png", folder
    )
    with Image.open(made.before) as before:
        assert np.asarray(before).min() > 250
