import shutil
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import image_translation
from image_translation.common import import_graph
from image_translation.common.import_graph import (
    NEUTRAL,
    find_code,
    find_file,
    is_neutral,
    read_definition,
    read_module,
)
from image_translation.pairing import preparation
from image_translation.pairing.arrays import ScoredPairs
from image_translation.pairing.settings import SealSettings
from image_translation.pipelines.model import nodes
from image_translation.training import fit, fitting, run_folder, train
from tests.pairing.helpers import single, write
from tests.pairing.test_preparation import prepare, split_of
from tests.test_extending import LOSS, NETWORK, add_metric, edit
from tests.training.conftest import make_pairs, make_settings

PACKAGE = Path(image_translation.__file__).parent


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a package ``ours``: text by path, packages made as needed."""
    monkeypatch.syspath_prepend(tmp_path)
    find_file.cache_clear()

    def write(**files: str) -> None:
        for name, text in {"": "", **files}.items():
            path = tmp_path / "ours" / f"{name.replace('__', '/') or '__init__'}.py"
            path.parent.mkdir(exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text(text)

    yield write
    find_file.cache_clear()


def names_of(*entries):
    return {module: list(names) for module, names in find_code(*entries).items()}


def test_uses_of_uses_are_found_also_inside_functions(package):
    package(
        a="import os\nfrom ours import b\nx = b.f\n",
        b="def f():\n    from ours.c import g as h\n    return h\ndef unused(): ...\n",
        c="k = 1\ng = k, 2\nother = 3\n",
        e="",
    )
    found = {"ours.a": ["x"], "ours.b": ["f"], "ours.c": ["g", "k"]}
    assert names_of("ours.a") == found
    assert names_of("ours.a.x") == found


def test_module_that_is_passed_on_counts_as_a_whole(package):
    package(a="from ours import b\nx = open(b)\n", b="p = 1\nq = 2\n")
    assert names_of("ours.a") == {"ours.a": ["x"], "ours.b": ["p", "q"]}


def test_statements_that_define_nothing_count_with_their_module(package):
    package(a="from ours.b import x\ny = x\n", b="x = {}\nx.update(y=1)\nz = 1\n")
    assert names_of("ours.a") == {"ours.a": ["y"], "ours.b": ["", "x"]}


def test_imports_for_type_checkers_do_not_count(package):
    package(
        a="from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from ours.b import T\n"
        "def f(x: T) -> T: ...\n",
        b="T = int\n",
    )
    assert names_of("ours.a") == {"ours.a": ["f"]}


def test_entry_limits_a_registry_to_its_keys(package):
    package(
        a="from ours.b import f, g\nALL = {'f': f, 'g': g}\ndef run(x): ALL[x]()\n",
        b="def f(): ...\ndef g(): ...\n",
    )
    found = {"ours.a": ["ALL", "run"], "ours.b": ["g"]}
    assert names_of("ours.a.run", "ours.a.ALL[g]") == found


def test_names_of_a_package_lead_to_the_module_that_defines_them(package):
    package(
        a="from ours.room import f\nx = f\n",
        room__one="def f(): ...\n",
        room__two="def g(): ...\n",
    )
    (init,) = [find_file("ours.room")]
    init.write_text(
        "from typing import TYPE_CHECKING\n"
        "from ours.room.two import g\n"
        "if TYPE_CHECKING:\n    from ours.room.one import f\n"
    )
    assert names_of("ours.a") == {"ours.a": ["x"], "ours.room.one": ["f"]}


def test_package_as_a_whole_is_all_its_modules(package):
    package(room__one="x = 1", room__two="y = 1", other="z = 1")
    found = {"ours.room": [], "ours.room.one": ["x"], "ours.room.two": ["y"]}
    assert names_of("ours.room") == found


def test_unknown_entry_is_an_error(package):
    package(a="x = 1")
    for entry in ("ours.missing", "ours.a.y"):
        with pytest.raises(ModuleNotFoundError, match=entry):
            find_code(entry)


FUNCTION = """\
def f(x):
    if x < 0:
        raise ValueError("x")
    logger.info("x")
    return x
"""
SAME = '''\
"""Of the module."""
# A comment.
def f(x: int) -> int:
    """Of f."""
    if x < 0:
        raise ValueError(f"{x} is negative: {explain(x)}") from None
    logger.info("Now x is %s", x)
    logger.warning("Another")
    return x
def g(): ...
'''


@pytest.mark.parametrize(
    ("text", "is_same"),
    [
        (SAME, True),
        (FUNCTION.replace("return x", "return -x"), False),
        (FUNCTION.replace("ValueError", "TypeError"), False),
        (FUNCTION.replace("f(x)", "f(x=1)"), False),
    ],
)
def test_only_code_that_affects_outputs_counts(package, text, is_same):
    package(a=FUNCTION, b=text)
    first, second = (list(find_code(f"ours.{m}.f").values()) for m in "ab")
    assert (first == second) == is_same


def test_neutral_modules_exist():
    assert all(find_file(module) for module in NEUTRAL)


def test_no_relative_import_escapes():
    files = PACKAGE.rglob("*.py")
    assert not [f for f in files if "\nfrom ." in f.read_text("utf-8")]


@contextmanager
def recorded_functions():
    """The top-level definitions of the package that run in all threads, by module."""
    ran: set[tuple[str, str]] = set()
    found: set[tuple[str, str]] = set()

    def record(frame, event, arg):
        ran.add((frame.f_code.co_filename, frame.f_code.co_qualname))

    before = sys.getprofile()
    threading.setprofile(record)
    sys.setprofile(record)
    try:
        yield found
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
    for file, name in ((Path(file), name) for file, name in ran):
        if file.is_relative_to(PACKAGE) and file.stem != "__init__":
            parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
            definition = name.partition(".")[0]
            if definition in read_module(file).statements:
                found.add((".".join(parts), definition))


@pytest.fixture
def entries(monkeypatch):
    """Record the code of ``fingerprint`` as a module calls it."""
    found: list[str] = []

    def watch(module):
        compute = module.fingerprint
        monkeypatch.setattr(
            module,
            "fingerprint",
            lambda *names, **parts: found.extend(names) or compute(*names, **parts),
        )
        return found

    return watch


def assert_all_is_behind(entries, run, *expected):
    assert {f"image_translation.{name}" for name in expected} <= {m for m, _ in run}
    code = find_code(*entries)
    behind = {(module, name) for module, names in code.items() for name in names}
    assert {found for found in run if not is_neutral(found[0])} <= behind


def without(run, *modules):
    return {found for found in run if found[0] not in modules}


@pytest.mark.parametrize("model", ["pix2pix", "structured", "autoencoder"])
def test_all_that_trains_is_behind_the_fingerprint(model, tmp_path, entries):
    names, pairs = entries(run_folder), make_pairs(4)
    settings = make_settings(model, training__epochs=1)
    with recorded_functions() as run:
        fit(settings, pairs, pairs, tmp_path)
    assert_all_is_behind(names, run, "training.losses", "metrics.realism")


def test_all_that_translates_is_behind_the_fingerprint(tmp_path, entries):
    names, pairs = entries(nodes), make_pairs(4)
    settings = make_settings("unet", training__epochs=1)
    trained = train("unet", settings, pairs, pairs, tmp_path)
    scored = ScoredPairs(**vars(pairs), subset="test", test_set="digest")
    seal = SealSettings(sealed=False)
    with recorded_functions() as run:
        made = nodes.translate_pairs(
            trained, scored, tmp_path / "predictions", settings.inference, seal
        )
    assert made.replicates == 1
    # what reads, writes and checks
    run = without(run, "image_translation.datasets.predictions", nodes.__name__)
    run = without(run, "image_translation.pairing.arrays")
    run.discard(("image_translation.networks.registry", "code_of"))
    run.discard(("image_translation.training.trained", "TrainedModel"))
    assert_all_is_behind(names, run, "training.inference", "networks.generators.unet")


@pytest.mark.parametrize("recipe", ["cartoon", "painterly", "hidden_digits"])
def test_all_that_prepares_is_behind_the_fingerprint(recipe, tmp_path, entries):
    names = entries(preparation)
    write(tmp_path / "a.png", 1)
    settings = single(recipe=recipe)
    split = split_of(tmp_path, settings)
    with recorded_functions() as run:
        prepare(tmp_path, settings, split)
    run = without(run, "image_translation.sources.folder")  # lists the files
    assert_all_is_behind(names, run, f"imaging.recipes.{recipe}")


def test_networks_metrics_losses_and_messages_train_no_model_again(
    tmp_path, entries, monkeypatch
):
    names, pairs = entries(run_folder), make_pairs(4)
    _ = run_folder.RunFolder(tmp_path, make_settings("unet"), pairs, pairs).fingerprint
    score = f"{nodes.__name__}._score"
    training, scoring = find_code(*names), find_code(score)
    copy = shutil.copytree(PACKAGE, tmp_path / "src" / PACKAGE.name)

    def find_copy(module):
        path = find_file(module)
        return path and copy / path.relative_to(PACKAGE)

    def read_changed():
        read_module.cache_clear()
        read_definition.cache_clear()
        return find_code(*names), find_code(score)

    monkeypatch.setattr(import_graph, "find_file", find_copy)
    (copy / "networks/generators/mine.py").write_text(NETWORK)
    losses, loop = copy / "training/losses.py", copy / "training/loop.py"
    marker = "LOSSES: Mapping[str, Loss] = {"
    edit(losses, marker, marker + LOSS)
    marker = "        for epoch in range("
    edit(loop, marker, f"        logger.info('A new message')\n{marker}")
    assert read_changed() == (training, scoring)

    add_metric(tmp_path)
    now = read_changed()
    assert now[0] == training and now[1] != scoring

    edit(losses, "targets).abs().mean()", "targets).square().mean()")
    now = read_changed()
    different = [module for module in training if now[0][module] != training[module]]
    assert different == ["image_translation.training.losses"]


def test_graph_takes_milliseconds_once_files_are_parsed():
    find_code(fitting.__name__)
    started = time.perf_counter()
    find_code(fitting.__name__)
    assert time.perf_counter() - started < 0.2
