"""Sources of images: embedded ones, folders, archives, URLs, Kaggle."""

from image_translation.sources.folder import list_folder
from image_translation.sources.opening import is_path, open_source
from image_translation.sources.source import Source

__all__ = ["Source", "is_path", "list_folder", "open_source"]
