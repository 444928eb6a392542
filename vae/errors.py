"""The one error that a person should read."""


class VisageError(ValueError):
    """One sentence that says what was wrong and what to do about it.

    The command line prints it and exits with code 2; the app shows it where the answer would have
    been. Any other exception is a defect.
    """
