"""Parameters: merge their layers, and validate the settings of a task."""
