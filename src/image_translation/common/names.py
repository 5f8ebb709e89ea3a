"""Names that several packages share: the baselines and the subsets of a split."""

BASELINES = COPY_INPUT, MEAN_TARGET = "copy_input", "mean_target"
"""Models without training; their scores have no seeds."""

ENSEMBLE = "_ensemble"
"""End of the name of an ensemble: the mean of a model's trainings."""

SUBSETS = TRAIN, VALIDATION, TEST = "train", "validation", "test"
"""The subsets of a split, the most held-out last."""
