"""Layouts: how a source's files form candidates for pairs."""

import logging
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import permutations
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from image_translation.common import wording
from image_translation.common.errors import InputError
from image_translation.common.schema import Settings
from image_translation.imaging.recipes import RECIPES, Recipe
from image_translation.pairing.name_patterns import Key, key_by, propose_pattern
from image_translation.pairing.settings import PairingSettings
from image_translation.sources import Source

logger = logging.getLogger(__name__)

HALVES = ("left", "right")

Image = NDArray[np.uint8]

_SHOWN = 12  # maximum number of sub-folders in an error

_NO_MATCH = "no partner: pairing.pattern does not match its name"


@dataclass(frozen=True)
class Candidate:
    """A candidate for a pair, before its files are opened.

    Attributes:
        input: File of the input, relative to the source's root, or None.
        target: File of the target, or None. For ``side_by_side`` and ``single``, the
            same file as the input.
        reason: Why it cannot be a pair, or empty.
    """

    input: str | None
    target: str | None
    reason: str = ""


def form_pairs(source: Source, settings: PairingSettings) -> list[Candidate]:
    """Form candidates for pairs from a source's files.

    ``two_folders`` matches files by their path below the two sub-folders without the
    suffix, or by the capture of ``pattern`` in it; ``side_by_side`` and ``single`` make
    every file a candidate. Every file of these folders is part of a candidate; with
    ``pattern``, a file may be the partner of several.

    Raises:
        InputError: A parameter is missing or does not match the source.
    """
    form = {
        "two_folders": _match_two_folders,
        "side_by_side": _take_both_halves,
        "single": _take_single_files,
    }[settings.layout]
    candidates = form(source, settings)
    outside = len(source.files) - len({f for c in candidates for f in _files(c)})
    if outside:
        logger.info(
            "Ignoring %s outside the given sub-folders", wording.count(outside, "image")
        )
    if _is_reversed(settings):
        return [Candidate(c.target, c.input, c.reason) for c in candidates]
    return candidates


def find_recipe(settings: PairingSettings) -> Recipe:
    """The recipe of the layout ``single``.

    Raises:
        InputError: No recipe is given.
    """
    if settings.recipe is None:
        raise InputError(
            "pairing.recipe: the layout single needs a recipe that derives the other "
            f"image; one of {', '.join(RECIPES)}"
        )
    return RECIPES[settings.recipe]


def input_half(settings: PairingSettings) -> str:
    """The half of a ``side_by_side`` file that is the input, after ``direction``.

    Raises:
        InputError: ``pairing.input`` is not a half.
    """
    if settings.input not in HALVES:
        raise InputError(
            "pairing.input: the layout side_by_side needs the half that is the input, "
            f"left or right, not {settings.input!r}"
        )
    return HALVES[(settings.input == "right") != _is_reversed(settings)]


def split_halves(image: Image, settings: PairingSettings) -> tuple[Image, Image]:
    """Split a ``side_by_side`` image into input and target.

    Args:
        image: uint8, H×2W×3.
        settings: ``input`` and ``direction`` define the halves.

    Returns:
        Input and target, each uint8, H×W×3.
    """
    middle = image.shape[1] // 2
    left, right = image[:, :middle], image[:, middle:]
    return (left, right) if input_half(settings) == "left" else (right, left)


def make_derivation(
    settings: PairingSettings,
) -> Callable[[Image], tuple[Image, Image]]:
    """Return a function that makes input and target from a photo, for ``single``.

    Args:
        settings: ``recipe`` defines the derived image, ``direction`` whether input and
            target are swapped.

    Returns:
        A function from a photo, uint8, H×W×3, to input and target of the same shape.

    Raises:
        InputError: No recipe is given, or its settings are invalid.
    """
    derive = find_recipe(settings).make(_recipe_settings(settings))
    derives_input = derived_role(settings) == "input"

    def derive_sides(photo: Image) -> tuple[Image, Image]:
        derived = derive(photo)
        return (derived, photo) if derives_input else (photo, derived)

    return derive_sides


def derived_role(settings: PairingSettings) -> Literal["input", "target"]:
    """Role of the image that the layout ``single`` derives, after ``direction``."""
    is_input = find_recipe(settings).derived_role == "input"
    return "input" if is_input != _is_reversed(settings) else "target"


def fingerprint_derivation(settings: PairingSettings) -> str:
    """Digest of the recipe and its settings, without the photos.

    Raises:
        InputError: The recipe's settings are invalid.
    """
    if settings.layout != "single":
        return ""
    return find_recipe(settings).fingerprint(_recipe_settings(settings))


def _recipe_settings(settings: PairingSettings) -> Settings | None:
    return getattr(settings, find_recipe(settings).name, None)


def _is_reversed(settings: PairingSettings) -> bool:
    return settings.direction == "reversed"


def describe_transform(settings: PairingSettings) -> str:
    """Distinguishes pairs made from the same files; part of their content."""
    if settings.layout == "side_by_side":
        return f"input {input_half(settings)}"
    if settings.layout == "single":
        return f"{find_recipe(settings).name} {settings.direction}"
    return ""


def _files(candidate: Candidate) -> list[str]:
    return [file for file in (candidate.input, candidate.target) if file is not None]


def _take_both_halves(source: Source, settings: PairingSettings) -> list[Candidate]:
    input_half(settings)
    return [Candidate(file, file) for file in source.files]


def check_folders(source: Source, settings: PairingSettings) -> None:
    """Check that the sub-folders of ``pairing.input`` and ``pairing.target`` exist.

    Raises:
        InputError: A sub-folder is not in the source, or is ambiguous.
    """
    if settings.layout == "two_folders":
        _paired_folders(source, settings)
    elif settings.layout == "single":
        _single_folders(source, settings)


def _take_single_files(source: Source, settings: PairingSettings) -> list[Candidate]:
    folders = _single_folders(source, settings)
    return [
        Candidate(file, file)
        for file in source.files
        if not folders or any(file.startswith(f"{folder}/") for folder in folders)
    ]


def _single_folders(source: Source, settings: PairingSettings) -> list[str]:
    """The sub-folders of the images that are not derived; empty for all."""
    is_input_derived = find_recipe(settings).derived_role == "input"
    kept = "target" if is_input_derived else "input"
    names = settings.target if is_input_derived else settings.input
    if names is None:
        return []
    return [_find_folder(source, n, f"pairing.{kept}") for n in names.split("|")]


def _match_two_folders(source: Source, settings: PairingSettings) -> list[Candidate]:
    candidates = []
    for input_folder, target_folder in _paired_folders(source, settings):
        candidates += _match_folders(
            source, input_folder, target_folder, settings.pattern
        )
    return candidates


def _paired_folders(source: Source, settings: PairingSettings) -> list[tuple[str, str]]:
    """The sub-folders of inputs, each with that of its targets."""
    inputs = _named_folders(source, settings.input, "pairing.input")
    targets = _named_folders(source, settings.target, "pairing.target")
    if len(inputs) != len(targets):
        raise InputError(
            f"pairing.input names {wording.count(len(inputs), 'sub-folder')} and "
            f"pairing.target {len(targets)}; pass the same number for both: "
            "input=a|b,target=c|d"
        )
    _refuse_overlap(inputs + targets)
    return list(zip(inputs, targets, strict=True))


def _refuse_overlap(folders: list[str]) -> None:
    for first, second in permutations(folders, 2):
        if f"{second}/".startswith(f"{first}/"):
            raise InputError(
                f"pairing.input and pairing.target: {second!r} is in {first!r} or is "
                "the same; pass sub-folders without common files"
            )


def _match_folders(
    source: Source, inputs: str, targets: str, pattern: str | None
) -> list[Candidate]:
    key = key_by(pattern)
    files_by_role = {
        "input": _files_by_key(source.files, inputs, key),
        "target": _files_by_key(source.files, targets, key),
    }
    candidates = _alone(
        {s: f.pop(None, []) for s, f in files_by_role.items()}, _NO_MATCH
    )
    for stem in sorted(
        filter(None, {**files_by_role["input"], **files_by_role["target"]})
    ):
        here = {role: files.get(stem, []) for role, files in files_by_role.items()}
        candidates += _match_stem(stem, here, may_repeat=pattern is not None)
    matched = {file for c in candidates if not c.reason for file in _files(c)}
    alone = len(_stems(source, inputs) + _stems(source, targets)) - len(matched)
    proposal = alone and propose_pattern(
        _stems(source, inputs), _stems(source, targets), len(matched)
    )
    if not matched:
        raise InputError(
            f"no file in {inputs!r} has a partner of the same name in {targets!r}: "
            f"{_example(source, inputs)} there, {_example(source, targets)} here; "
            + (
                str(
                    proposal
                    or "check pairing.input, pairing.target and pairing.pattern"
                )
            )
        )
    if proposal:
        logger.warning(
            "Without a clear partner: %s; %s", wording.count(alone, "file"), proposal
        )
    return candidates


def _match_stem(
    stem: str, files: Mapping[str, list[str]], may_repeat: bool
) -> list[Candidate]:
    """The candidates of all files that share a stem, ideally two.

    Args:
        stem: The stem, or the capture of ``pattern``.
        files: The files by role.
        may_repeat: True if one file may be the partner of several.
    """
    if may_repeat and min(map(len, files.values())) == 1:
        return [Candidate(i, t) for i in files["input"] for t in files["target"]]
    for role, found in files.items():
        if len(found) > 1:
            names = ", ".join(PurePosixPath(file).name for file in found)
            reason = f"no clear partner: {role} {stem!r} occurs twice ({names})"
            return _alone(files, reason)
    if not files["input"] or not files["target"]:
        missing = "target" if files["input"] else "input"
        return _alone(files, f"no partner: no {missing} named {stem!r}")
    return [Candidate(files["input"][0], files["target"][0])]


def _alone(files: Mapping[str, list[str]], reason: str) -> list[Candidate]:
    return [Candidate(file, None, reason) for file in files["input"]] + [
        Candidate(None, file, reason) for file in files["target"]
    ]


def _files_by_key(
    files: Iterable[str], folder: str, key: Key
) -> dict[str | None, list[str]]:
    found = defaultdict(list)
    for file in files:
        if file.startswith(f"{folder}/"):
            found[key(_stem_below(file, folder))].append(file)
    return found


def _stems(source: Source, folder: str) -> list[str]:
    return [
        _stem_below(file, folder)
        for file in source.files
        if file.startswith(f"{folder}/")
    ]


def _stem_below(file: str, folder: str) -> str:
    below = PurePosixPath(file).relative_to(folder).with_suffix("")
    return normalize_name(below.as_posix())


def _named_folders(source: Source, names: str | None, parameter: str) -> list[str]:
    if names is None:
        raise InputError(
            f"{parameter}: the layout two_folders needs a sub-folder of "
            f"{source.root}; it has {_list_folders(source)}"
        )
    return [_find_folder(source, name, parameter) for name in names.split("|")]


def _find_folder(source: Source, name: str, parameter: str) -> str:
    """The sub-folder with this path, or the only one whose path ends in it.

    Archives often have an extra top-level folder.
    """
    folders = _folders(source)
    wanted = normalize_name(name.strip("/"))
    exact = [folder for folder in folders if normalize_name(folder) == wanted]
    ending = [
        folder for folder in folders if normalize_name(folder).endswith(f"/{wanted}")
    ]
    matches = exact or ending
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise InputError(
            f"{parameter}: {name!r} matches several sub-folders: "
            f"{', '.join(map(repr, matches))}; pass the whole path"
        )
    near = get_close_matches(name, folders + [_last(f) for f in folders], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise InputError(
        f"{parameter}: {source.root} has no sub-folder {name!r} with images{hint} "
        f"It has {_list_folders(source)}"
    )


def _folders(source: Source) -> list[str]:
    parents = {
        parent.as_posix()
        for folder in {PurePosixPath(file).parent for file in source.files}
        for parent in (folder, *folder.parents)
    }
    return sorted(parents - {"."})


def _list_folders(source: Source) -> str:
    folders = _folders(source)
    shown = ", ".join(map(repr, folders[:_SHOWN])) or "none"
    more = len(folders) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _example(source: Source, folder: str) -> str:
    first = next(file for file in source.files if file.startswith(f"{folder}/"))
    return repr(PurePosixPath(first).name)


def _last(folder: str) -> str:
    return PurePosixPath(folder).name


def normalize_name(text: str) -> str:
    """A name in one form: macOS writes é as two code points, other systems as one."""
    return unicodedata.normalize("NFC", text)
