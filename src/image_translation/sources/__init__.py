"""Where images come from: embedded photographs, folders, archives, data sets."""

from image_translation.sources.source import Source, list_folder, open_source

__all__ = ["Source", "list_folder", "open_source"]
