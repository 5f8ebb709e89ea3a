"""Pipelines: thin nodes that call the rooms."""
