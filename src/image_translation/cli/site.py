"""``kedro site``: graph, reports and documentation as static pages."""

from pathlib import Path

import click
from kedro.framework.cli.utils import env_option
from kedro.framework.startup import ProjectMetadata

from image_translation.cli.project import find_data
from image_translation.pipeline_registry import TASKS


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
def site(
    metadata: ProjectMetadata, output: Path, graph: Path | None, env: str | None
) -> None:
    """Put graph, reports and documentation behind one start page."""
    from image_translation.reporting.site import build_site

    reports = find_data(metadata.project_path, env) / "08_reporting"
    page = build_site(output, reports, graph, TASKS)
    click.echo(f"{page}: start it with python -m http.server --directory {output}")
