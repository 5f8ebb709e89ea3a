"""Train, compare and deploy models for paired image-to-image translation."""

__version__ = "0.1.0"
