"""``kedro app`` and ``kedro site``: pages for the browser."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.cli.utils import env_option
from kedro.framework.startup import ProjectMetadata
from kedro.io import CatalogProtocol

from image_translation.cli.errors import with_readable_errors
from image_translation.cli.options import params_option
from image_translation.cli.project import find_data, open_context
from image_translation.common.secrets import without_credentials
from image_translation.pipeline_registry import all_tasks

if TYPE_CHECKING:
    from image_translation.app.workbench import TaskModels


@click.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Interface to bind to."
)
@click.option("--port", default=7860, show_default=True, help="Port to bind to.")
@env_option
@params_option
@click.pass_obj
@with_readable_errors
def app(
    metadata: ProjectMetadata,
    host: str,
    port: int,
    env: str | None,
    params: dict[str, Any],
) -> None:
    """Serve a page to translate photographs and compare models."""
    from image_translation.app.server import require_gradio, serve
    from image_translation.app.workbench import Workbench

    require_gradio()
    with open_context(metadata, env, params) as context:
        tasks = {task: _results(context.catalog, task) for task in all_tasks()}
        workbench = Workbench(tasks, context.params["app"], _mlflow_page(context))
        serve(workbench, host, port, lambda url: click.echo(f"The app serves {url}"))


def _results(catalog: CatalogProtocol, task: str) -> "TaskModels":
    from image_translation.app.workbench import TaskModels

    settings = catalog.load(f"params:{task}")
    comparison = catalog[f"{task}.comparison"]
    return TaskModels(
        models=settings.models,
        translation=settings.translate,
        trained=catalog[f"{task}.trained_models"].load,
        champions=catalog.load(f"{task}.champion.workspace").folder,
        metric=settings.promotion.metric,
        exports=catalog[f"{task}.exports"].load,
        comparison=lambda: comparison.load() if comparison.exists() else None,
        white=settings.preparation.white,
    )


def _mlflow_page(context: Any) -> str:
    """The address of MLflow's interface: its server, or that of ``make mlflow``."""
    uri = context.mlflow.server.mlflow_tracking_uri or ""
    if uri.startswith(("http://", "https://")):
        return without_credentials(uri)
    return f"http://{context.mlflow.ui.host}:{context.mlflow.ui.port}"


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default="site",
    help="The site's folder.",
)
@click.option(
    "--graph",
    type=click.Path(path_type=Path, exists=True),
    help="The output of kedro viz build.",
)
@env_option
@click.pass_obj
@with_readable_errors
def site(
    metadata: ProjectMetadata, output: Path, graph: Path | None, env: str | None
) -> None:
    """Put graph, reports and documentation behind one start page."""
    from image_translation.reporting.site import build_site

    reports = find_data(metadata.project_path, env) / "08_reporting"
    page = build_site(output, reports, graph, all_tasks())
    click.echo(
        f"Wrote {page}. To view the site: "
        f"python -m http.server --bind 127.0.0.1 --directory {output}"
    )
