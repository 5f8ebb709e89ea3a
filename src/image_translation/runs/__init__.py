"""Records of runs: event logs, their upload to MLflow, summaries and exit codes."""
