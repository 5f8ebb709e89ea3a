"""Luma Y' of gamma-encoded RGB, ITU-R BT.601."""

import numpy as np

LUMA_WEIGHTS = np.array([0.299, 0.587, 0.114])
"""Weights of R', G' and B' in Y', float64."""
