import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import image_translation
from image_translation.common.fingerprint import code_digest
from image_translation.common.import_graph import (
    NEUTRAL,
    find_file,
    find_modules,
    is_neutral,
)
from image_translation.pairing import preparation
from image_translation.pairing.arrays import ScoredPairs
from image_translation.pairing.settings import SealSettings
from image_translation.pipelines.model import nodes
from image_translation.training import fit, fitting, run_folder, train
from tests.pairing.helpers import single, write
from tests.pairing.test_preparation import prepare, split_of
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


def test_imports_of_imports_are_found_also_inside_functions(package):
    package(
        a="import os\nfrom ours import b\n",
        b="def f():\n    from ours.c import g\n    import ours.d\n",
        c="g = 1\n",
        d="",
        e="",
    )
    assert list(find_modules("ours.a")) == ["ours.a", "ours.b", "ours.c", "ours.d"]


def test_imports_for_type_checkers_do_not_count(package):
    package(
        a="from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from ours.b import T\n",
        b="T = int\n",
    )
    assert list(find_modules("ours.a")) == ["ours.a"]


def test_names_of_a_package_lead_to_the_module_that_defines_them(package):
    package(
        a="from ours.room import f\n",
        room__one="def f(): ...\n",
        room__two="def g(): ...\n",
    )
    (init,) = [find_file("ours.room")]
    init.write_text(
        "from typing import TYPE_CHECKING\n"
        "from ours.room.two import g\n"
        "if TYPE_CHECKING:\n    from ours.room.one import f\n"
    )
    assert list(find_modules("ours.a")) == ["ours.a", "ours.room.one"]


def test_package_as_a_whole_is_all_its_modules(package):
    package(room__one="", room__two="", other="")
    found = list(find_modules("ours.room"))
    assert found == ["ours.room", "ours.room.one", "ours.room.two"]


def test_unknown_entry_is_an_error(package):
    package()
    with pytest.raises(ModuleNotFoundError, match="ours.missing"):
        find_modules("ours.missing")


def test_digest_sees_what_is_imported_and_no_docstring(package):
    digests = []
    for b in ("x = 1\n", '"""Doc."""\nx = 1\n"""Of x."""\n', "x = 2\n"):
        name = f"b{len(digests)}"
        package(**{f"a{name}": f"from ours.{name} import x as y\n", name: b})
        digests.append(code_digest(f"ours.{name}"))
    assert digests[0] == digests[1] != digests[2]


def test_neutral_modules_exist():
    assert all(find_file(module) for module in NEUTRAL)


def test_no_relative_import_escapes():
    files = PACKAGE.rglob("*.py")
    assert not [f for f in files if "\nfrom ." in f.read_text("utf-8")]


@contextmanager
def recorded_modules():
    """The modules of the package whose functions run, in all threads."""
    files: set[str] = set()
    found: set[str] = set()

    def record(frame, event, arg):
        files.add(frame.f_code.co_filename)

    before = sys.getprofile()
    threading.setprofile(record)
    sys.setprofile(record)
    try:
        yield found
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
    for file in map(Path, files):
        if file.is_relative_to(PACKAGE) and file.stem != "__init__":
            parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
            found.add(".".join(parts))


@pytest.fixture
def entries(monkeypatch):
    """Record the entries of ``code_digest`` as a module calls it."""
    found: list[str] = []

    def watch(module):
        digest = module.code_digest
        monkeypatch.setattr(
            module, "code_digest", lambda *names: found.extend(names) or digest(*names)
        )
        return found

    return watch


def assert_all_is_behind(entries, run, *expected):
    assert {f"image_translation.{name}" for name in expected} <= run
    behind = find_modules(*entries).keys()
    assert {module for module in run if not is_neutral(module)} <= behind


@pytest.mark.parametrize("model", ["pix2pix", "structured", "autoencoder"])
def test_all_that_trains_is_behind_the_fingerprint(model, tmp_path, entries):
    names, pairs = entries(run_folder), make_pairs(4)
    settings = make_settings(model, training__epochs=1)
    with recorded_modules() as run:
        fit(settings, pairs, pairs, tmp_path)
    assert_all_is_behind(names, run, "training.losses", "metrics.realism")


def test_all_that_translates_is_behind_the_fingerprint(tmp_path, entries):
    names, pairs = entries(nodes), make_pairs(4)
    settings = make_settings("unet", training__epochs=1)
    trained = train("unet", settings, pairs, pairs, tmp_path)
    scored = ScoredPairs(**vars(pairs), subset="test", test_set="digest")
    seal = SealSettings(sealed=False)
    with recorded_modules() as run:
        made = nodes.translate_pairs(
            trained, scored, tmp_path / "predictions", settings.inference, seal
        )
    assert made.replicates == 1
    run -= {nodes.__name__, "image_translation.datasets.predictions"}
    run -= {"image_translation.pairing.arrays"}  # checks the seal
    assert_all_is_behind(names, run, "training.inference", "networks.generators.unet")


@pytest.mark.parametrize("recipe", ["cartoon", "painterly", "hidden_digits"])
def test_all_that_prepares_is_behind_the_fingerprint(recipe, tmp_path, entries):
    names = entries(preparation)
    write(tmp_path / "a.png", 1)
    settings = single(recipe=recipe)
    split = split_of(tmp_path, settings)
    with recorded_modules() as run:
        prepare(tmp_path, settings, split)
    run -= {"image_translation.sources.folder"}  # lists the files
    assert_all_is_behind(names, run, f"imaging.recipes.{recipe}")


def test_graph_takes_milliseconds_once_files_are_parsed():
    find_modules(fitting.__name__)
    started = time.perf_counter()
    find_modules(fitting.__name__)
    assert time.perf_counter() - started < 0.2
