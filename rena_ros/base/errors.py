"""The one exception with a text for the user."""


class RenaError(Exception):
    """Something outside the program is wrong, and the user can correct it.

    The text says what happened, to which servo, file or topic, and what to do now. The command line
    prints it without a traceback and exits with code 2; a node logs it as fatal and exits with code 2.
    A programming error is never a RenaError.
    """
