"""Translating images of any size with what was trained."""
