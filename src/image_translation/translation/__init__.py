"""Translate images of any size with trained models."""
