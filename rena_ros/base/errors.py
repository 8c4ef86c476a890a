"""The one exception with a text for the user."""


class RenaError(Exception):
    """Something outside the program is wrong, and the user can correct it.

    The text says what happened, to which servo, file or topic, and what to do now. The command line
    prints it without a traceback and exits with code 2; a node logs it as fatal and exits with code 2.
    A programming error is never a RenaError.
    """

    def __str__(self) -> str:
        """Return the text as valid UTF-8: a file's name that is none must not break the log that takes it."""
        return super().__str__().encode("utf-8", "backslashreplace").decode("utf-8")
