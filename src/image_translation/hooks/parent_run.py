"""kedro-mlflow's hooks, wrapped to survive an unavailable server."""

from typing import TYPE_CHECKING, Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from image_translation.common.foreign_internals import skip_ipython
from image_translation.common.secrets import mask_values
from image_translation.runs.parent_runs import current_parent
from image_translation.runs.store import require_store, tolerate_store

if TYPE_CHECKING:
    from kedro_mlflow.framework.hooks import MlflowHook


class ParentRunHooks:
    """Lets kedro-mlflow start and end the run of a pipeline, and nothing else.

    Its other hooks would log the parameters of every node one by one; this project logs
    those of all nodes at the start.
    """

    def __init__(self) -> None:
        self._hook: MlflowHook = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Connect to the store."""
        from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook

        self._hook = MlflowHook()
        require_store(self._hook.after_context_created)(context)

    @hook_impl
    def after_catalog_created(
        self,
        catalog: CatalogProtocol,
        conf_catalog: dict[str, Any],
        conf_creds: dict[str, Any],
        parameters: dict[str, Any],
        save_version: str,
        load_versions: dict[str, str],
    ) -> None:
        """Name the metrics in a user's catalog.

        Without such datasets the hook is not called: it would create every dataset of the
        catalog, and import their libraries.
        """
        types = (str(config.get("type")) for config in conf_catalog.values())
        if any("mlflow" in name.lower() for name in types):
            self._hook.after_catalog_created(
                catalog,
                conf_catalog,
                conf_creds,
                parameters,
                save_version,
                load_versions,
            )

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        shown = mask_values(run_params)  # they become tags
        with skip_ipython():
            require_store(self._hook.before_pipeline_run)(shown, pipeline, catalog)

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        tolerate_store(self._hook.after_pipeline_run)(run_params, pipeline, catalog)

    @hook_impl
    def on_pipeline_error(
        self,
        error: Exception,
        run_params: dict[str, Any],
        pipeline: Pipeline,
        catalog: CatalogProtocol,
    ) -> None:
        """Mark the run as failed, if it was started."""
        if current_parent() is None:
            return
        tolerate_store(self._hook.on_pipeline_error)(
            error, run_params, pipeline, catalog
        )
