"""Trained generators in forms that other runtimes read, checked and measured."""
