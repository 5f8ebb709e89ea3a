"""Finding better parameters on the validation pairs, usable from a script without Kedro.

A study has a fixed number of places for trials. Any number of processes take a place
each, try its parameters, and take the next one; a place whose process has died is taken up
by another, which goes on from the checkpoint. Optuna keeps the study and chooses what is
tried.
"""
