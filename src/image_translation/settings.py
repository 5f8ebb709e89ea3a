"""Project settings, read by Kedro. https://docs.kedro.org"""

import os
import warnings
from pathlib import Path

import yaml
from kedro.framework.project import LOGGING
from kedro.utils import find_kedro_project

from image_translation.common import foreign_warnings
from image_translation.common.foreign_internals import skip_absent_ibis
from image_translation.common.secrets import mask_log_records
from image_translation.config.parameters import LayeredConfigLoader
from image_translation.hooks.kedro_viz import DatasetStatisticsHooks, ProjectContext
from image_translation.hooks.parent_run import ParentRunHooks
from image_translation.hooks.progress import ProgressHooks
from image_translation.hooks.run_events import RunEventHooks
from image_translation.hooks.stamps import StampHooks
from image_translation.hooks.stop import StopHooks
from image_translation.hooks.task_lock import TaskLockHooks
from image_translation.hooks.tracking import TrackingHooks

_events = RunEventHooks()

# Kedro calls the last one first: events are recorded once kedro-mlflow has started its run.
HOOKS = (
    StopHooks(_events),
    TrackingHooks(),
    _events,
    ParentRunHooks(),
    StampHooks(),
    ProgressHooks(),
    DatasetStatisticsHooks(),
    TaskLockHooks(),
)

# kedro-viz would write to .viz/ with every run of every environment; the hooks keep the
# status of each environment with its data. ParentRunHooks call kedro-mlflow's hooks.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry", "kedro-viz", "kedro_mlflow")

CONTEXT_CLASS = ProjectContext

CONFIG_LOADER_CLASS = LayeredConfigLoader

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {
        "mlflow": ["mlflow*", "mlflow*/**", "**/mlflow*"],
        "airflow": ["airflow*", "airflow*/**"],
    },
    "merge_strategy": {"airflow": "soft"},  # an environment contains differences only
}

# Detect an unreachable server within seconds; send no telemetry.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")

# Kedro 1.7 registers resolvers by a name that OmegaConf 2.4 deprecates.
warnings.filterwarnings("ignore", message="register_new_resolver")
# Dataset names contain dots: <task>.<model>.<name>.
warnings.filterwarnings("ignore", message="One or more dataset names contain")
# Names of files may contain letters that no installed font has.
warnings.filterwarnings("ignore", message="Glyph .* missing from font")
foreign_warnings.ignore()
skip_absent_ibis()

mask_log_records()

# Kedro finds the logging configuration only if it starts in the root of the project.
_project = find_kedro_project(Path.cwd())
_logging = _project / "conf" / "logging.yml" if _project else None
if _logging and _logging.is_file() and "KEDRO_LOGGING_CONFIG" not in os.environ:
    LOGGING.configure(yaml.safe_load(_logging.read_text("utf-8")))
