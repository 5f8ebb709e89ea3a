"""The datasets that MLflow receives, and how each is logged.

Each is loaded from the catalog, so it can be logged later as well.
"""

from collections.abc import Callable

from kedro.io import CatalogProtocol

from image_translation.common.foreign_internals import file_of

LINKED = ".scores"
"""End of the names of datasets that a run links to also if they are up to date."""


def is_logged(dataset: str, had_work: bool | None = None) -> bool:
    """Whether MLflow receives a dataset.

    Args:
        dataset: Its name.
        had_work: False if it was up to date: the run that made it has it.
    """
    is_kept = had_work is False and not dataset.endswith(LINKED)
    return dataset.endswith(tuple(_LOGGERS)) and not is_kept


def log_dataset(catalog: CatalogProtocol, run_id: str, dataset: str) -> None:
    """Log a saved dataset, and its siblings, to a parent run.

    Args:
        catalog: The catalog that has it.
        run_id: The parent run.
        dataset: A name for which `is_logged` is true.
    """
    suffix = next(suffix for suffix in _LOGGERS if dataset.endswith(suffix))
    _LOGGERS[suffix](catalog, run_id, dataset.removesuffix(suffix))


def _log_scores(catalog: CatalogProtocol, run_id: str, namespace: str) -> None:
    from image_translation.runs.mlflow_logging import link_replicates, log_scores

    trained = catalog.load(f"{namespace}.trained")
    link_replicates(run_id, namespace.split(".")[1], trained)
    log_scores(trained, catalog.load(f"{namespace}.scores"))


def _log_findings(catalog: CatalogProtocol, run_id: str, task: str) -> None:
    from image_translation.runs.mlflow_logging import log_findings

    log_findings(run_id, catalog.load(f"{task}.findings"))


def _log_promotion(catalog: CatalogProtocol, run_id: str, task: str) -> None:
    from image_translation.runs.mlflow_logging import log_promotion

    log_promotion(run_id, catalog.load(f"{task}.promotion"))


def _log_report(catalog: CatalogProtocol, run_id: str, task: str) -> None:
    from image_translation.runs.mlflow_logging import describe_runs, log_comparison
    from image_translation.runs.summary import read_answer

    folder = file_of(catalog[f"{task}.report"]).parent
    log_comparison(run_id, catalog.load(f"{task}.comparison"), folder)
    describe_runs(run_id, str(read_answer(folder)), catalog.load(f"{task}.promotion"))


def _log_study(catalog: CatalogProtocol, run_id: str, task: str) -> None:
    from image_translation.runs.mlflow_logging import log_study

    log_study(run_id, catalog.load(f"{task}.human_study"))


def _log_tuning(catalog: CatalogProtocol, run_id: str, task: str) -> None:
    from image_translation.runs.mlflow_logging import log_tuning

    names = ("trials", "history", "importance", "overlay")
    files = [file_of(catalog[f"{task}.tuning.{name}"]) for name in names]
    log_tuning(run_id, catalog.load(f"{task}.tuning.trials"), files)


_LOGGERS: dict[str, Callable[[CatalogProtocol, str, str], None]] = {
    ".scores": _log_scores,
    ".findings": _log_findings,
    ".promotion": _log_promotion,
    ".sample_grid": _log_report,  # the last of its files
    ".human_agreement": _log_study,  # the last of its files
    ".tuning.overlay": _log_tuning,  # the last of its files
}
"""By the end of the dataset's name."""
