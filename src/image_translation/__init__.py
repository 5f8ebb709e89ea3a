"""Which model translates these images best, by how much, and can I trust it?"""

__version__ = "0.1.0"
