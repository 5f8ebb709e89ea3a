"""Tables of numbers."""

import pandas as pd

from image_translation.datasets.checked import CheckedCSVDataset
from image_translation.datasets.previews import TablePreview, preview_table


class NumbersCSVDataset(CheckedCSVDataset):
    """A CSV file whose preview is rounded for display.

    Example:
        ```yaml
        comparison:
          type: image_translation.datasets.tables.NumbersCSVDataset
          filepath: data/08_reporting/colorization/comparison.csv
        ```
    """

    def preview(self, nrows: int = 5) -> TablePreview:
        """The first rows, in the format of kedro-viz.

        Args:
            nrows: Number of rows.
        """
        shown = super().preview(nrows)
        return preview_table(pd.DataFrame(shown["data"], columns=shown["columns"]))
