"""Generators, one file each.

The file ``<name>.py`` is the network ``<name>`` of the parameters. Its ``build`` takes
image size, base width and `Structure`, and returns a module that maps N×3×H×W in [-1, 1]
to the same.
"""
