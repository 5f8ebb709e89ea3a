"""``kedro run`` as its users need it: text stays text, errors are readable."""

import copy
import functools
import logging
import os
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError, env_option, split_string
from kedro.framework.project import pipelines, settings
from kedro.framework.session import KedroSession
from kedro.framework.startup import ProjectMetadata
from kedro.io import CatalogProtocol, MemoryDataset
from kedro.utils import find_kedro_project

from image_translation.common.files import LockedError, lock
from image_translation.errors import InputError, without_credentials
from image_translation.hooks import send_task
from image_translation.logged_datasets import models_folder
from image_translation.pipeline_registry import OF_ONE_TASK, TASKS
from image_translation.run_journal import take_over
from image_translation.runs.exit_codes import (
    ExitCode,
    Failure,
    describe_failure,
    known_failure,
)
from image_translation.scheduling.conclusion import conclude
from image_translation.scheduling.journal import (
    LOCK,
    SUMMARY,
    Journal,
    bookkeeping,
)
from image_translation.scheduling.state import TaskFolders
from image_translation.tracking.store import connection, tell_failure
from image_translation.training.interruption import SIGNALS, TrainingStoppedError

if TYPE_CHECKING:
    from image_translation.app.workbench import TaskResults
    from image_translation.tracking.promotion import Promotion

logger = logging.getLogger(__name__)

UNSENT = (
    "MLflow could not be reached to the end ({failure}). Everything is on disk; "
    "what MLflow has missed is sent by the next run, or by: make send"
)


@click.group()
def cli() -> None:
    """Commands of this project."""


def parse_parameters(
    context: click.Context, option: click.Parameter, value: str | dict
) -> dict[str, Any]:
    """Read ``name=value,…`` into nested names; every value stays the text it is.

    The parameter schema types the values. YAML would make ``on`` a boolean and
    ``007`` the number 7 before anybody could ask for the text.

    Raises:
        BadParameter: An item is not of the form ``name=value``.
    """
    if isinstance(value, dict):
        return value
    parameters: dict[str, Any] = {}
    for item in split_string(context, option, value):
        name, separator, text = item.partition("=")
        if not separator or not all(name.strip().split(".")):
            raise click.BadParameter(
                f"{item!r} is not of the form name=value. A comma separates"
                " parameters; a value with a comma goes into conf/local/parameters.yml"
            )
        *path, last = name.strip().split(".")
        block = parameters
        for part in path:
            block = block.setdefault(part, {})
            if not isinstance(block, dict):
                raise click.BadParameter(f"{name.strip()!r} is both value and block")
        block[last] = text
    return parameters


def choose_task(options: dict[str, Any]) -> dict[str, Any]:
    """Run a pipeline ``OF_ONE_TASK`` for ``task=<task>`` among its parameters.

    Raises:
        KedroCliError: There is no such task.
    """
    chosen = [options.get("pipeline"), *(options.get("pipelines") or ())]
    if not set(OF_ONE_TASK) & set(chosen) or options.get("namespaces"):
        return options
    params = dict(options.get("params") or {})
    task = params.pop("task", TASKS[0])
    if task not in TASKS:
        raise KedroCliError(
            f"--params: task is one of {', '.join(TASKS)}, not {task!r}"
        )
    return {**options, "params": params, "namespaces": [task]}


def _has_failed_photos(outputs: Any) -> bool:
    """True if a translation of a folder failed for some photographs."""
    if not outputs:
        return False
    from image_translation.translation.ledger import Outcome

    results = [
        output.load()
        for output in outputs.values()
        if isinstance(output, MemoryDataset)
    ]
    return any(isinstance(result, Outcome) and result.failures for result in results)


def _show(failure: Failure) -> NoReturn:
    """Print a failure and exit with its code."""
    is_error = failure.code not in (ExitCode.INTERRUPTED, ExitCode.TERMINATED)
    click.echo(f"Error: {failure.error}" if is_error else failure.error, err=True)
    raise SystemExit(failure.code)


@contextmanager
def _signals_as_errors() -> Iterator[None]:
    """Outside of trainings, which hear signals themselves, leave as after an error.

    Kedro tells no hook of Ctrl-C itself, and MLflow would call the run finished. The
    second signal does what it always does.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    raise TrainingStoppedError(
        "The run was stopped; the same command goes on from there", number
    )


def _with_readable_errors(function: Any) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **options: Any) -> Any:
        warnings.filterwarnings("ignore", message="Option '--pipeline' is deprecated")
        warnings.filterwarnings("ignore", message="One or more dataset names contain")
        try:
            returned = function(*args, **choose_task(options))
        except Exception as error:
            if failure := known_failure(error):
                _show(failure)
            if told := tell_failure(error):
                raise click.ClickException(told) from error
            raise
        if connection.is_lost:
            click.echo(UNSENT.format(failure=connection.failure), err=True)
            raise SystemExit(ExitCode.MLFLOW_LOST)
        if _has_failed_photos(returned):
            raise SystemExit(ExitCode.PHOTOS_FAILED)
        return returned

    return wrapper


def _with_errors_noted(function: Any) -> Callable[..., Any]:
    """Have the journal of a shared run tell also what stops a part of it at its start."""

    @functools.wraps(function)
    def wrapper(*args: Any, **options: Any) -> Any:
        is_part = "MLFLOW_RUN_ID" in os.environ  # MLflow forgets it
        try:
            return function(*args, **options)
        except Exception as error:
            if is_part:
                _note_part(error, options)
            raise

    return wrapper


@bookkeeping()
def _note_part(error: Exception, options: dict[str, Any]) -> None:
    chosen = [options.get("pipeline"), *(options.get("pipelines") or ())]
    tasks = [name for name in chosen if name] or [TASKS[0]]
    nodes: Sequence[str] = options.get("node_names") or ()
    if len(tasks) == 1 and tasks[0] in TASKS:
        project = find_kedro_project(Path.cwd()) or Path.cwd()
        journal = Journal(_folders(project, tasks[0], options.get("env")))
        _note_error(journal, error, nodes[0] if len(nodes) == 1 else "")


@bookkeeping()
def _note_error(journal: Journal, error: BaseException, node: str = "") -> None:
    """Note an error, unless a hook has: it came before the run, or tore it off."""
    if describe_failure(error) not in journal.read().failures.values():
        journal.fail(error, node)


def _project_run() -> click.Command:
    command = copy.copy(kedro_run)
    callback: Any = kedro_run.callback
    noted = _with_errors_noted(_signals_as_errors()(callback))
    command.callback = _with_readable_errors(noted)
    command.params = [copy.copy(option) for option in kedro_run.params]
    for option in command.params:
        if option.name == "params":
            option.callback = parse_parameters
    return command


run = _project_run()
cli.add_command(run, "run")


@cli.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default="site",
    help="The site's folder.",
)
@click.option(
    "--graph",
    type=click.Path(path_type=Path, exists=True),
    help="What kedro viz build has written.",
)
@env_option
@click.pass_obj
def site(
    metadata: ProjectMetadata, output: Path, graph: Path | None, env: str | None
) -> None:
    """Put graph, reports and documentation behind one start page."""
    from image_translation.reporting.site import build_site

    reports = _data_folder(metadata.project_path, env) / "08_reporting"
    page = build_site(output, reports, graph, TASKS)
    click.echo(f"{page}: start it with python -m http.server --directory {output}")


task_option = click.option(
    "--task", type=click.Choice(TASKS), default=TASKS[0], show_default=True
)
params_option = click.option(
    "--params", default="", callback=parse_parameters, help="As in kedro run."
)


@cli.command()
@task_option
@env_option
@params_option
@click.pass_obj
def nightly(
    metadata: ProjectMetadata, task: str, env: str | None, params: dict[str, Any]
) -> None:
    """Run a task when nobody watches: one run at a time, a summary, an exit code."""
    folders = _folders(metadata.project_path, task, env)
    try:
        with lock(folders.intermediate / LOCK), _signals_as_errors():
            code = _run_watched(metadata.project_path, folders, env, params)
    except LockedError as error:
        click.echo(f"Not run: {error}", err=True)
        code = ExitCode.LOCKED
    raise SystemExit(code)


def _run_watched(
    project: Path, folders: TaskFolders, env: str | None, params: dict[str, Any]
) -> int:
    """Run a task, whatever comes of it; returns the exit code, the summary is written."""
    journal = Journal(folders)
    failure = None
    try:
        journal.begin()
        session: Any = KedroSession.create(project, env=env, runtime_params=params)
        with session:
            session.run(pipeline_names=[folders.task])
    except BaseException as error:
        failure = _tell(error, folders.task)
        _note_error(journal, error)
    code = conclude(folders, store_is_lost=connection.is_lost)
    if failure is None and connection.is_lost:
        click.echo(UNSENT.format(failure=connection.failure), err=True)
    click.echo(f"Exit code {code}; {folders.reporting / SUMMARY} tells more", err=True)
    return code


def _tell(error: BaseException, task: str) -> Failure:
    """Tell why a run failed; how it came to that only where no remedy is known."""
    failure = describe_failure(error)
    if failure.code == ExitCode.FAILED:
        told = without_credentials("".join(traceback.format_exception(error)))
        logger.error("%s failed\n%s", task, told)
    click.echo(failure.error, err=True)
    return failure


@cli.group("shared-run")
def shared_run() -> None:
    """A run made of several processes: one MLflow run, one summary."""


@shared_run.command()
@task_option
@env_option
@click.option("--key", required=True, help="What the scheduler calls the run.")
@click.pass_obj
def begin(metadata: ProjectMetadata, task: str, env: str | None, key: str) -> None:
    """Begin it, and say its id, which goes into MLFLOW_RUN_ID of all its processes."""
    journal = Journal(_folders(metadata.project_path, task, env))
    try:
        run_id = _begin_shared(metadata, journal, env, key)
    except Exception as error:
        failure = _tell(error, task)
        _note_error(journal, error)
        raise SystemExit(failure.code) from error
    click.echo(run_id)


def _begin_shared(
    metadata: ProjectMetadata, journal: Journal, env: str | None, key: str
) -> str:
    """Begin a shared run if it can run at all; returns its id in MLflow."""
    from image_translation.hooks import set_experiment
    from image_translation.tracking.parents import begin_parent

    record, task = journal.begin(key), journal.folders.task
    with _context(metadata, env) as context:
        _ = context.params  # which are the same for all nodes
        experiment_id = set_experiment(context, task)
        run_id = begin_parent(experiment_id, task, key, record.parent)
        take_over(journal, record, run_id)
    return run_id


@shared_run.command()
@task_option
@env_option
@click.pass_obj
@_with_readable_errors
def end(metadata: ProjectMetadata, task: str, env: str | None) -> None:
    """End it: write its summary, and leave with the exit code that it deserves."""
    folders = _folders(metadata.project_path, task, env)
    run_id = os.environ.get("MLFLOW_RUN_ID")
    if not run_id:
        _begin_unless_told(Journal(folders))
    code, failure = int(ExitCode.FAILED), None
    try:
        nodes = [node.name for node in pipelines[task].nodes]
        code = conclude(folders, nodes)
    finally:
        if run_id:
            is_fine = code in (ExitCode.FINISHED, ExitCode.MODEL_FAILED)
            failure = _end_parent(metadata, folders, env, run_id, is_fine)
    if failure is not None:
        click.echo(UNSENT.format(failure=failure), err=True)
        code = conclude(folders, nodes, store_is_lost=True)
    click.echo(f"Exit code {code}; {folders.reporting / SUMMARY} tells more", err=True)
    raise SystemExit(code)


def _begin_unless_told(journal: Journal) -> None:
    """Begin the journal of a run that has no id, unless it tells why it has none."""
    with suppress(InputError):
        record = journal.read()
        if set(record.failures) == {""} and not (record.seconds or record.is_over):
            return
    journal.begin()


def _end_parent(
    metadata: ProjectMetadata,
    folders: TaskFolders,
    env: str | None,
    run_id: str,
    is_fine: bool,
) -> str | None:
    """Tell MLflow the end of a shared run, or note it; returns why it was not told."""
    from mlflow.exceptions import MlflowException

    from image_translation.hooks import set_experiment
    from image_translation.tracking.backlog import note_end
    from image_translation.tracking.parents import end_parent

    try:
        with _context(metadata, env) as context:
            set_experiment(context, folders.task)
            end_parent(run_id, folders.task, is_fine=is_fine)
        failure = connection.failure
    except (InputError, MlflowException) as error:  # it is not there, or lets nobody in
        failure = without_credentials(str(error)).splitlines()[0]
    if failure is not None:
        note_end(folders.models, run_id, "FINISHED" if is_fine else "FAILED")
    return failure


def _folders(project: Path, task: str, env: str | None) -> TaskFolders:
    """Where an environment keeps what belongs to a task, also when its run cannot start."""
    return TaskFolders(_data_folder(project, env), task)


def _data_folder(project: Path, env: str | None) -> Path:
    loader = settings.CONFIG_LOADER_CLASS(
        str(project / settings.CONF_SOURCE),
        env=env or os.environ.get("KEDRO_ENV"),
        **settings.CONFIG_LOADER_ARGS,
    )
    return project / loader["globals"]["data"]


@cli.command()
@env_option
@click.pass_obj
@_with_readable_errors
def send(metadata: ProjectMetadata, env: str | None) -> None:
    """Send MLflow what it has missed, of all tasks, without training."""
    with _catalog(metadata, env) as catalog:
        for task in TASKS:
            send_task(catalog, task)


@cli.command()
@task_option
@env_option
@click.pass_obj
@_with_readable_errors
def rollback(metadata: ProjectMetadata, task: str, env: str | None) -> None:
    """Put the model that was in use before into use again."""
    from image_translation.tracking.promotion import roll_back

    with _catalog(metadata, env) as catalog:
        log = catalog.load(f"{task}.remembered_promotions")
        _keep(catalog, task, roll_back(task, log))


@cli.command()
@task_option
@click.option("--version", type=int, required=True, help="Of the registered model.")
@env_option
@click.pass_obj
@_with_readable_errors
def promote(
    metadata: ProjectMetadata, task: str, version: int, env: str | None
) -> None:
    """Put a version of a task's model into use by hand."""
    from image_translation.tracking.promotion import promote_by_hand

    with _catalog(metadata, env) as catalog:
        log = catalog.load(f"{task}.remembered_promotions")
        _keep(catalog, task, promote_by_hand(task, version, log))


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="To listen at.")
@click.option("--port", default=7860, show_default=True, help="To listen at.")
@env_option
@params_option
@click.pass_obj
@_with_readable_errors
def app(
    metadata: ProjectMetadata,
    host: str,
    port: int,
    env: str | None,
    params: dict[str, Any],
) -> None:
    """Serve a page on which photographs are translated, and models compared."""
    from image_translation.app.server import require_gradio, serve
    from image_translation.app.settings import AppSettings
    from image_translation.app.workbench import Workbench

    require_gradio()
    with _context(metadata, env, params) as context:
        tasks = {task: _results(context.catalog, task) for task in TASKS}
        settings = AppSettings.model_validate(context.params["app"])
        workbench = Workbench(tasks, settings, _mlflow_page(context))
        serve(workbench, host, port, lambda url: click.echo(f"The app serves {url}"))


def _results(catalog: CatalogProtocol, task: str) -> "TaskResults":
    from image_translation.app.workbench import TaskResults

    comparison = catalog[f"{task}.comparison"]
    return TaskResults(
        settings=catalog.load(f"params:{task}"),
        trained=catalog[f"{task}.trained_models"].load,
        champions=catalog.load(f"{task}.champion.workspace").folder,
        exports=catalog[f"{task}.exports"].load,
        comparison=lambda: comparison.load() if comparison.exists() else None,
    )


def _mlflow_page(context: Any) -> str:
    """Where MLflow's interface is: at its server, or where ``make mlflow`` serves it."""
    uri = context.mlflow.server.mlflow_tracking_uri or ""
    if uri.startswith(("http://", "https://")):
        return without_credentials(uri)
    return f"http://{context.mlflow.ui.host}:{context.mlflow.ui.port}"


@contextmanager
def _context(
    metadata: ProjectMetadata, env: str | None, params: dict[str, Any] | None = None
) -> Iterator[Any]:
    """The project's context, with MLflow set up as in a run."""
    session: Any = KedroSession.create(
        metadata.project_path, env=env, runtime_params=params
    )
    with session:
        yield session.load_context()


@contextmanager
def _catalog(metadata: ProjectMetadata, env: str | None) -> Iterator[CatalogProtocol]:
    """The project's catalog, with MLflow set up as in a run."""
    with _context(metadata, env) as context:
        yield context.catalog


def _keep(catalog: CatalogProtocol, task: str, promotion: "Promotion") -> None:
    from image_translation.tracking.backlog import forget_saved

    forget_saved(models_folder(catalog, task), f"{task}.promotion")
    catalog.save(f"{task}.promotion", promotion.record)
    catalog.save(f"{task}.promotions", promotion.log)
    reason = promotion.record["reason"]
    click.echo(f"{task}: {reason}; the report says so after the task's next run")
