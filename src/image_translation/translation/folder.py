"""Translate the photographs of a folder, one at a time."""

import csv
import errno
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path, PurePosixPath

from image_translation.common import wording
from image_translation.common.errors import InputError
from image_translation.common.files import atomic_write, write_text
from image_translation.common.fingerprint import code_digest, digest, file_digest
from image_translation.common.progress import progress
from image_translation.common.spreadsheets import protect
from image_translation.imaging.decoding import UnreadableImageError
from image_translation.imaging.photo_files import (
    Photo,
    encode_photo,
    read_photo,
    result_suffix,
)
from image_translation.reporting.translations import Shown, render_translations
from image_translation.sources.folder import list_folder
from image_translation.sources.source import Source
from image_translation.translation.encoded_images import Translator, translate_photo
from image_translation.translation.ledger import Ledger, Outcome, Result
from image_translation.translation.previews import Previews

logger = logging.getLogger(__name__)

TABLE = "results.csv"
INDEX = "index.html"

_UNNAMABLE = "its name is not valid UTF-8; rename the file"

_NAMED = 20  # maximum number of logged failures; the table lists all

_FULL = {errno.EDQUOT, errno.ENOSPC, errno.EROFS}  # no file can be written any more


def list_photos(source: Path, output: Path) -> Source:
    """The photographs to translate: a file, or those in a folder and its sub-folders.

    If the output folder is inside the input folder, its files are excluded.

    Raises:
        InputError: There are no photographs, or the input folder is the output folder.
    """
    if source.is_file():
        photos = Source(name=source.name, root=source.parent, files=(source.name,))
    else:
        photos = list_folder(source, parameter="input")
    root, target = photos.root.resolve(), output.resolve()
    if root == target:
        raise InputError(
            f"output: {output} is the folder of the input; pass another folder, so that no "
            "photograph is overwritten"
        )
    if not target.is_relative_to(root):
        return photos
    inside = target.relative_to(root)
    files = tuple(f for f in photos.files if not Path(f).is_relative_to(inside))
    if not files:
        raise InputError(f"input: all images in {source} are in the output folder")
    logger.info("Ignoring the images in the output folder %s", inside)
    return replace(photos, files=files)


def translate_folder(
    photos: Source,
    output: Path,
    translators: Mapping[str, Translator],
    title: str,
    white: float | None = None,
) -> Outcome:
    """Translate photographs, and write a page and a table of the results.

    Sub-folders and names are preserved; a suffix changes only if the format requires
    it. With several models, each has its own folder. Files that were already translated
    by the same model and settings are skipped. Files that cannot be read, or whose
    translations cannot be written, are skipped and reported.

    Args:
        photos: The photographs.
        output: Output folder; created if necessary.
        translators: Translators by model name.
        title: Title of the page.
        white: ``preparation.white``.

    Raises:
        InputError: The output cannot be written.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        work = _Work(photos, output, translators, white)
        files = progress(photos.files, "translating", len(photos.files), "photographs")
        results = [result for file in files for result in work.translate(file)]
        results += [Result(file, reason=_UNNAMABLE) for file in photos.unnamable]
        outcome = Outcome(results, output)
        _write_table(results, output / TABLE)
        write_text(output / INDEX, _render(outcome, list(translators), title))
    except OSError as error:
        raise InputError(
            f"output: {error.filename or output} cannot be written: {error.strerror}"
        ) from error
    _log(outcome)
    return outcome


class _Work:
    """Everything that is needed for each photograph of a run."""

    def __init__(
        self,
        photos: Source,
        output: Path,
        translators: Mapping[str, Translator],
        white: float | None,
    ) -> None:
        self._photos, self._output, self._translators = photos, output, translators
        self._white = white
        self._ledger = Ledger(output)
        self._previews = Previews(output)
        self._names = {file.casefold() for file in photos.files}
        self._stems = Counter(_stem(file) for file in photos.files)

    def translate(self, file: str) -> Iterator[Result]:
        """Translate a photograph with every model; it is decoded once."""
        path = self._photos.root / file
        try:
            sha256 = file_digest(path)
        except OSError as error:
            yield Result(file, reason=f"cannot be opened: {error.strerror}")
            return
        photo = None
        for model, translator in self._translators.items():
            fingerprint = _fingerprint(sha256, translator, self._white)
            made = self._ledger.find(file, model, fingerprint)
            if made is not None and self._previews.exist(file, model):
                yield replace(made, status="up to date")
                continue
            start = time.perf_counter()
            try:
                photo = photo or read_photo(path, self._white)
            except UnreadableImageError as error:
                yield Result(file, reason=error.reason)
                return
            result = replace(
                _describe(file, photo), model=model, fingerprint=fingerprint
            )
            yield self._make(result, translator, photo, start)

    def _make(
        self, result: Result, translator: Translator, photo: Photo, start: float
    ) -> Result:
        name = self._output_name(result.input, photo.result_format)
        if len(self._translators) > 1:
            name = f"{result.model}/{name}"
        target = self._output / name
        try:
            is_foreign = target.exists() and not self._ledger.is_own(name)
        except OSError as error:  # the name is too long
            return replace(result, reason=_describe_unwritable(error))
        if is_foreign:
            return replace(
                result,
                reason=f"{name} in the output folder was not written by this tool",
            )
        translated = translate_photo(translator, photo)
        data = encode_photo(translated, translator.settings.quality)
        made = replace(
            result,
            status="translated",
            output=name,
            size=len(data),
            seconds=round(time.perf_counter() - start, 3),
        )
        self._previews.write(result.input, result.model, photo, translated)
        self._ledger.add(made)
        try:
            with atomic_write(target) as temporary:
                temporary.write_bytes(data)
        except OSError as error:
            if error.errno in _FULL:
                raise
            return replace(result, reason=_describe_unwritable(error))
        return made

    def _output_name(self, file: str, form: str) -> str:
        """The file's name, with a suffix that matches its format.

        If there is another file with the same stem, the suffix is appended to the whole
        name. The result depends on the files in the folder, not on the order of
        processing.
        """
        path = PurePosixPath(file)
        suffix = result_suffix(path.suffix, form)
        if suffix == path.suffix:
            return file
        alone = self._stems[_stem(file)] == 1
        named = (
            path.with_suffix(suffix) if alone else path.with_name(path.name + suffix)
        )
        number = 1
        while named.as_posix().casefold() in self._names:
            named = path.with_name(f"{path.name}-{number}{suffix}")
            number += 1
        return named.as_posix()


def _describe_unwritable(error: OSError) -> str:
    return f"the translation cannot be written: {error.strerror}"


def _stem(file: str) -> str:
    return PurePosixPath(file).with_suffix("").as_posix().casefold()


def _describe(file: str, photo: Photo) -> Result:
    height, width, _ = photo.pixels.shape
    return Result(
        file,
        reason="; ".join(sorted(photo.remarks)),
        width=width,
        height=height,
        format=photo.format,
        mode=photo.mode,
    )


def _fingerprint(sha256: str, translator: Translator, white: float | None) -> str:
    return digest(
        sha256,
        white,
        translator.fingerprint,
        translator.inference,
        translator.settings.model_dump(exclude={"model"}),
        code_digest(
            "image_translation.translation.encoded_images",
            "image_translation.translation.translator",
        ),
    )


def _write_table(results: Sequence[Result], path: Path) -> None:
    with (
        atomic_write(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        table = csv.DictWriter(file, [field.name for field in fields(Result)])
        table.writeheader()
        table.writerows(
            {name: protect(value) for name, value in asdict(result).items()}
            for result in results
        )


def _render(outcome: Outcome, models: Sequence[str], title: str) -> str:
    previews = Previews(outcome.output)
    by_input: dict[str, list[Result]] = {}
    for result in outcome.results:
        if result.status != "failed":
            by_input.setdefault(result.input, []).append(result)
    shown = [
        Shown(
            name=file,
            size=f"{made[0].width}×{made[0].height}",
            before=previews.link(file),
            after={r.model: (previews.link(file, r.model), r.output) for r in made},
        )
        for file, made in by_input.items()
    ]
    failures = [(failure.input, failure.reason) for failure in outcome.failures]
    return render_translations(title, models, shown, failures, TABLE)


def _log(outcome: Outcome) -> None:
    counts = Counter(result.status for result in outcome.results)
    logger.info(
        "%s: %d translated, %d up to date, %d failed; see %s there",
        outcome.output,
        counts["translated"],
        counts["up to date"],
        counts["failed"],
        INDEX,
    )
    made = {r.input: r.reason for r in outcome.results if r.status == "translated"}
    for remarks, count in Counter(filter(None, made.values())).items():
        logger.warning("%s: %s", wording.count(count, "photograph"), remarks)
    for failure in outcome.failures[:_NAMED]:
        logger.error("%s was not translated: %s", failure.input, failure.reason)
    if len(outcome.failures) > _NAMED:
        logger.error("%d more: %s", len(outcome.failures) - _NAMED, TABLE)
