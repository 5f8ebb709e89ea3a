"""Kedro hooks: they choose the MLflow experiment and record the events of a run."""
