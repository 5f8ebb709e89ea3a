"""Search for better parameters on the validation pairs; usable without Kedro.

A study has a fixed number of trials. Any number of processes claim a trial each, train
with its parameters, and claim the next one. If a process dies, another one takes over
its trial and resumes from the checkpoint. Optuna stores the study and suggests the
parameters.
"""
