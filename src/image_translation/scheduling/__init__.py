"""Runs that nobody watches: one at a time, with a record, a summary and an exit code."""
