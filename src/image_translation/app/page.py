"""The Gradio page of the workbench; the only module that imports Gradio."""

import functools
import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from fastapi.middleware import Middleware
from gradio.route_utils import MultiPartException
from PIL import Image, ImageOps

from image_translation.app.files import KEEP_SECONDS, SessionFiles, safe_name
from image_translation.app.guard import Guard, allowed_hosts
from image_translation.app.workbench import (
    Translation,
    Workbench,
    write_preview,
)
from image_translation.common.errors import InputError
from image_translation.imaging.decoding import IMAGE_SUFFIXES
from image_translation.imaging.resizing import FILTER
from image_translation.imaging.sample_photographs import PHOTOGRAPHS, TEST_PHOTOGRAPHS
from image_translation.reporting import formatting
from image_translation.reporting.templates import read_resource, read_template

logger = logging.getLogger(__name__)

TITLE = "Image Translation"
ABOUT = (
    "Translate a photograph at full size with the trained models, and compare the "
    "results. Photographs stay on the machine that serves this page, and are deleted "
    "when you leave it."
)
NOTHING_TRAINED = (
    "**No model is trained yet.** Train some with `make run`, then reload this page."
)
UNEXPECTED = "Unexpected error; see the server log"

SAMPLES = sorted(PHOTOGRAPHS, key=lambda photo: photo.name not in TEST_PHOTOGRAPHS)
THUMBNAIL = (240, 180)

THEME = gr.themes.Default(
    primary_hue=gr.themes.colors.cyan,
    neutral_hue=gr.themes.colors.stone,
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
).set(
    body_background_fill="*neutral_50",
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_400",
    link_text_color="*primary_700",
    link_text_color_hover="*primary_800",
    link_text_color_visited="*primary_700",
    link_text_color_dark="*primary_300",
    link_text_color_hover_dark="*primary_200",
    link_text_color_visited_dark="*primary_300",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_600",
    button_primary_text_color="white",
)
"""System fonts: web fonts would be loaded from another host."""


def _read_upload(payload: Any) -> Any:
    """Path of an uploaded file and its name on the user's machine, or None."""
    file = payload.root[0] if hasattr(payload, "root") else payload
    if file is None:
        return None
    return Path(file.path), safe_name(file.orig_name or Path(file.path).name)


def launch(workbench: Workbench, folder: Path, host: str, port: int) -> gr.Blocks:
    """Start the page's server.

    Args:
        workbench: The workbench.
        folder: Folder for files.
        host: Interface to bind to.
        port: Port to bind to.

    Raises:
        InputError: The port is in use.
    """
    page = build_page(workbench, SessionFiles(folder))
    settings = workbench.settings
    page.queue(max_size=settings.waiting, default_concurrency_limit=settings.at_once)
    guard = Middleware(
        Guard,
        max_upload_mb=settings.max_upload_mb,
        hosts=allowed_hosts(host),
        cut_off=MultiPartException,
    )
    try:
        page.launch(
            server_name=host,
            server_port=port,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            enable_monitoring=False,
            run_history=False,
            footer_links=[],
            max_file_size=f"{settings.max_upload_mb}mb",
            theme=THEME,
            css=read_resource("app.css"),
            app_kwargs={"middleware": [guard]},
        )
    except OSError as error:
        raise InputError(
            f"--port: {port} cannot be used at {host}; pass another one ({error})"
        ) from error
    _put_first(page.app, guard)
    return page


def _put_first(app: Any, guard: Middleware) -> None:
    """Put the guard around Gradio's own middleware.

    By default Gradio's is the outer one, and answers preflight requests of other pages.
    """
    others = [layer for layer in app.user_middleware if layer.cls is not guard.cls]
    app.user_middleware = [guard, *others]
    app.middleware_stack = app.build_middleware_stack()


def build_page(workbench: Workbench, files: SessionFiles) -> gr.Blocks:
    """Build the page and its event handlers."""
    desk = _Handlers(workbench, files)
    with gr.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(600, KEEP_SECONDS)
    ) as page:
        gr.Markdown(f"# {TITLE}\n{ABOUT}")
        nothing = gr.Markdown(NOTHING_TRAINED, visible=False, elem_id="nothing")
        made = gr.State([])
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                # values allowed for API clients
                task = gr.Dropdown(
                    _named(workbench.all_tasks), label="Task", elem_id="task"
                )
                models = gr.CheckboxGroup(
                    workbench.all_models(),
                    label="Models, side by side",
                    elem_id="models",
                )
                photo = gr.File(
                    label=f"Photograph, up to {workbench.settings.max_upload_mb} MB",
                    file_types=sorted(IMAGE_SUFFIXES),
                    height=160,
                    elem_id="photograph",
                )
                # A subclass would make Gradio write page.pyi next to this module.
                photo.preprocess = _read_upload  # type: ignore[method-assign]
                gr.Markdown("Or choose a sample:", elem_id="or")
                samples = gr.Gallery(
                    [_thumbnail(sample.path) for sample in SAMPLES],
                    label="Samples",
                    show_label=False,
                    columns=4,
                    allow_preview=False,
                    object_fit="cover",
                    interactive=False,
                    buttons=[],
                    elem_id="samples",
                )
                start = gr.Button("Translate", variant="primary", elem_id="translate")
            with gr.Column(scale=3, min_width=320):
                slider = gr.ImageSlider(
                    label="Before and after",
                    interactive=False,
                    type="filepath",
                    max_height=640,
                    buttons=["fullscreen"],
                    elem_id="slider",
                )
                shown = gr.Radio([], label="After, by", visible=False, elem_id="shown")
        results = gr.HTML(elem_id="results")
        hidden: dict[str, Any] = {"api_visibility": "private"}
        page.load(desk.open, None, [task, models, nothing], **hidden)
        task.input(desk.choose_task, task, models, **hidden)
        everything = [photo, slider, shown, results, made]
        for taken in (
            photo.upload(desk.keep, [task, photo], everything, **hidden),
            samples.select(desk.take_sample, None, everything, **hidden),
        ):
            taken.failure(lambda: _NOTHING, None, everything, **hidden)
        photo.clear(lambda: _NOTHING, None, everything, **hidden)
        start.click(
            desk.translate,
            [task, models, photo],
            [slider, shown, results, made],
            api_name="translate",
            show_progress_on=slider,
        )
        shown.input(desk.show, [shown, made], slider, show_progress="hidden", **hidden)
        page.unload(desk.leave)
    return page


def _user_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Show errors that users can fix; log all others."""

    @functools.wraps(function)
    def wrapper(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except InputError as error:
            message = str(error)
        except Exception:
            logger.exception("%s failed", function.__name__)
            message = UNEXPECTED
        raise gr.Error(message, title="Not done", duration=None, print_exception=False)

    return wrapper


class _Handlers:
    """Event handlers of the page."""

    def __init__(self, workbench: Workbench, files: SessionFiles) -> None:
        self._workbench, self._files = workbench, files

    @_user_errors
    def open(self) -> tuple[Any, Any, Any]:
        """The current tasks and models."""
        tasks = self._workbench.tasks()
        first = tasks[0] if tasks else None
        return (
            gr.Dropdown(_named(tasks), value=first),
            self._models(first),
            gr.Markdown(visible=not tasks),
        )

    @_user_errors
    def choose_task(self, task: str) -> Any:
        """The task's models, with the first one selected."""
        return self._models(task)

    def _models(self, task: str | None) -> Any:
        models = list(self._workbench.models(task).items()) if task else []
        return gr.CheckboxGroup(models, value=[value for _, value in models[:1]])

    @_user_errors
    def keep(
        self, task: str, photo: tuple[Path, str] | None, request: gr.Request
    ) -> Any:
        """Store an upload in the session's files, and show it."""
        if photo is None:
            return _NOTHING
        path, name = photo
        return self._take(path, name, request, shutil.move, task)

    @_user_errors
    def take_sample(self, event: gr.SelectData, request: gr.Request) -> Any:
        """Use a sample instead of an upload."""
        sample = SAMPLES[event.index].path
        return self._take(sample, sample.name, request, shutil.copyfile)

    def _take(
        self,
        path: Path,
        name: str,
        request: gr.Request,
        bring: Callable[..., Any],
        task: str = "",
    ) -> Any:
        folder = self._files.new_folder(_session(request))
        given = folder / "given" / name
        given.parent.mkdir()
        bring(path, given)
        photo = self._workbench.open_photo(given, name, task)
        preview = write_preview(photo, folder / "photograph.jpg")
        return str(given), _pair(preview, preview), *_NOTHING[2:]

    @_user_errors
    def translate(
        self,
        task: str,
        models: list[str],
        photo: tuple[Path, str] | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - injected by Gradio
    ) -> Any:
        if photo is None:
            raise InputError("No photograph; upload one or choose a sample")
        folder = self._files.new_folder(_session(request))
        made = self._workbench.translate(task, models, *photo, folder, progress)
        labels = [one.label for one in made]
        shown = gr.Radio(labels, value=labels[0], visible=len(made) > 1)
        return self.show(labels[0], made), shown, _render(made), made

    @_user_errors
    def show(self, label: str, made: Sequence[Translation]) -> Any:
        """The slider between the photograph and one of its translations."""
        (one,) = (one for one in made if one.label == label)
        return _pair(one.before, one.after)

    def leave(self, request: gr.Request) -> None:
        self._files.end(_session(request))


_NOTHING: tuple[Any, ...] = (None, None, gr.Radio([], visible=False), "", [])
"""Photograph, slider, selection of the result, results: all empty."""


def _named(tasks: Sequence[str]) -> list[tuple[str, str]]:
    return [(formatting.title(task), task) for task in tasks]


def _render(made: Sequence[Translation]) -> str:
    return read_template("app_results.html").render(made=made, link=_link)


def _link(file: Path) -> str:
    return f"gradio_api/file={quote(str(file))}"


def _pair(before: Path, after: Path) -> tuple[str, str]:
    return str(before), str(after)


def _session(request: gr.Request) -> str:
    return request.session_hash or ""


def _thumbnail(path: Path) -> Any:
    image = Image.open(path).convert("RGB")
    return ImageOps.fit(image, THUMBNAIL, FILTER)
