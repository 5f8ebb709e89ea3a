"""The one exception that is meant for the user's eyes."""


class InputError(ValueError):
    """Input of the user's that cannot be worked with.

    The message names the file or the parameter and the remedy; the command line
    shows it without a traceback.
    """
