"""``kedro run --dry-run``: lists what a run would make and why, and writes nothing."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from kedro.framework.cli.utils import KedroCliError
from kedro.framework.session import KedroSession
from kedro.io import CatalogProtocol, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner

from image_translation.common.foreign_internals import without_hooks
from image_translation.common.stamps import Stamped, Unchecked, WorkNeeded, dry_run
from image_translation.datasets.checked import Checked
from image_translation.hooks.stamps import StampHooks
from image_translation.pipeline_registry import OF_ONE_TASK

WITH_EFFECTS = "promotion"
"""Tag of nodes that change more than their outputs; a dry run does not call them."""

COUNTERS = "count_scoring", "count_looks"
"""Functions of nodes that count the runs themselves."""

FILTERS = (
    "tags",
    "node_names",
    "from_nodes",
    "to_nodes",
    "from_inputs",
    "to_outputs",
    "namespaces",
)
"""Options of ``kedro run`` that select nodes."""


def list_work(options: Mapping[str, Any]) -> None:
    """Print what a run would make.

    Args:
        options: Those of ``kedro run``.

    Raises:
        KedroCliError: The pipeline is not that of a task.
    """
    names = [n for n in (options["pipeline"], *(options["pipelines"] or ())) if n]
    if set(names) & set(OF_ONE_TASK):
        raise KedroCliError("--dry-run is for the pipelines of tasks only")
    runner = DryRunner()
    session: Any = KedroSession.create(
        env=options["env"],
        conf_source=options["conf_source"],
        runtime_params=options["params"],
    )
    with _quiet(), session:
        without_hooks(session)
        chosen = {name: options[name] for name in FILTERS}
        session.run(runner=runner, pipeline_names=names, **chosen)
    width = max(map(len, runner.reasons), default=0)
    for name, reason in runner.reasons.items():
        click.echo(f"{name:{width}}  {reason}")
    count = len(runner.reasons)
    click.echo(
        f"{count} nodes would make new results" if count else "nothing: up to date"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Log no progress."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


class DryRunner(SequentialRunner):
    """Calls nodes without saving their outputs; what is stale is noted, not made.

    Attributes:
        reasons: Why a node would make new results, by its name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._stale: dict[str, str] = {}

    def _run(self, pipeline: Pipeline, catalog: CatalogProtocol, *_: Any) -> None:
        with dry_run():
            for node in pipeline.nodes:
                reason = self._visit(node, catalog)
                if reason is not None:
                    self.reasons[node.name] = reason
                    self._stale |= dict.fromkeys(node.outputs, node.name)

    def _visit(self, node: Node, catalog: CatalogProtocol) -> str | None:
        """Why a node would make new results, or None."""
        causes = {self._stale[name]: 1 for name in node.inputs if name in self._stale}
        if causes:
            more = f" and {len(causes) - 1} more" if len(causes) > 1 else ""
            return f"depends on {next(iter(causes))}{more}"
        try:
            is_called = (
                WITH_EFFECTS not in node.tags and node.func.__name__ not in COUNTERS
            )
            reason = self._call(node, catalog) if is_called else None
        except Unchecked:
            reason = None
        except WorkNeeded as work:
            return str(work)
        stored = [
            n for n in node.outputs if not isinstance(catalog.get(n), MemoryDataset)
        ]
        missing = [name for name in stored if not catalog.exists(name)]
        return f"{missing[0]} is missing" if missing else reason

    def _call(self, node: Node, catalog: CatalogProtocol) -> str | None:
        known = self._values
        inputs = {n: known[n] if n in known else catalog.load(n) for n in node.inputs}
        StampHooks().before_node_run(node, catalog)
        for name, value in node.run(inputs).items():
            dataset = catalog.get(name)
            if isinstance(value, Stamped):
                continue  # it is stored
            if not isinstance(dataset, Checked):
                self._values[name] = value
            elif dataset.differs(value):
                return f"{name} changes"
        return None
