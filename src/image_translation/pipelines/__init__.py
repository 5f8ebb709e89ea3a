"""Pipelines of thin nodes, which call the other packages."""
