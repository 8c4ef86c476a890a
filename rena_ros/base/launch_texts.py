"""The arguments of launch files, which arrive as texts."""

from collections.abc import Mapping

from rena_ros.base.errors import RenaError

_TRUTHS = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}
_WHAT = {bool: "neither true nor false", int: "no whole number", float: "no number"}


def typed(texts: Mapping[str, str], kinds: Mapping[str, type]) -> dict[str, str | bool | int | float]:
    """Return the arguments that are given (not ""), each as its kind: bool, int, float or, by default, str.

    Raises RenaError for a text that is none of its kind.
    """
    return {name: _value(name, text, kinds.get(name, str)) for name, text in texts.items() if text}


def _value(name: str, text: str, kind: type) -> str | bool | int | float:
    try:
        value: str | bool | int | float = _TRUTHS[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError) as error:
        raise RenaError(f"{name}:={text} is {_WHAT[kind]}") from error
    return value
