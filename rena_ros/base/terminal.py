"""Standard output and error that any text can be printed to."""

import sys


def print_anything() -> None:
    """Let both streams write as backslash escapes what their encoding lacks; otherwise print raises.

    ASCII lacks "·" and "ö" (LC_ALL=C, PYTHONIOENCODING=ascii), every encoding lacks the bytes of a name that is none.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not so where a test or a program took its place
            stream.reconfigure(errors="backslashreplace")
