"""From scores to estimates, verdicts, plans and preferences.

Based on NumPy, SciPy and pandas; works in scripts and notebooks without Kedro.
"""
