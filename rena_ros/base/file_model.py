"""Configuration files as pydantic models: a text becomes a model, or one error lists all its faults by line."""

import difflib
import reprlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from rena_ros.base.errors import RenaError
from rena_ros.base.yaml_lines import UNBUILT, YamlText, number_hint

Finding = tuple[tuple[str | int, ...], str]  # keys and indices that lead to a value, what is wrong with it


class FileModel(BaseModel):
    """A mapping in a file. Values are not converted (neither true nor "1" is a number); unknown fields are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


Model = TypeVar("Model", bound=FileModel)

_NO_MAPPING = "{name} must be a mapping of names and values, found {found}"
# Type of a pydantic error -> sentence for the author of the file; pydantic gives limits such as {ge}.
_SENTENCES = {
    **dict.fromkeys(("missing", "union_tag_not_found"), "{name} is missing; add it"),
    "extra_forbidden": "{name} is not a field here{advice}",
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), _NO_MAPPING),
    "tuple_type": "{name} must be a list, found {found}",
    **dict.fromkeys(("too_short", "string_too_short"), "{name} must not be empty"),
    "too_long": "{name} has {actual_length} entries, {max_length} are the most",
    "int_type": "{name} must be a whole number, found {found}{hint}",
    "float_type": "{name} must be a number, found {found}{hint}",
    "bool_type": "{name} must be true or false, found {found}",
    "string_type": "{name} must be a text, found {found}; put it in quotes if it is one",
    "greater_than": "{name} must be above {gt}, found {found}",
    "greater_than_equal": "{name} must be at least {ge}, found {found}",
    "less_than": "{name} must be below {lt}, found {found}",
    "less_than_equal": "{name} must be at most {le}, found {found}",
    "finite_number": "{name} must be a finite number, found {found}",
    "literal_error": "{name} must be one of {expected}, found {found}",
    "union_tag_invalid": "{name} must be one of {expected_tags}, found {found}",
    "value_error": "{error}",
}
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring = 3, 60


def read_model(
    text: str,
    what: str,
    model: type[Model],
    *,
    context: object = None,
    rules: Callable[[Model], Iterable[Finding]] = lambda _: (),
) -> Model:
    """Read a YAML text as a model; ``what`` names the text in errors.

    ``context``: what the model's validators need to know. ``rules``: checks across parts of the file; run only if
    nothing else is wrong. Raises RenaError that lists every fault, sorted by line.
    """
    yaml_text = YamlText(text, what)
    faults = set(yaml_text.faults)
    try:
        read = model.model_validate(yaml_text.value, context=context)
        if not faults:
            for path, sentence in rules(read):
                place = yaml_text.place(path)
                faults.add((place.line, f"{place.around}{place.label}{sentence}"))
    except ValidationError as error:
        faults.update(_faults(yaml_text, error, model))
    if faults:
        listed = "\n".join(f"  line {line}: {sentence}" for line, sentence in sorted(faults))
        raise RenaError(f"{what} has {len(faults)} fault(s):\n{listed}")
    return read


def sentences(error: ValidationError) -> list[str]:
    """Return what is wrong with values that did not come from a file, one sentence each."""
    return [_sentence(details, str(details["loc"][-1]) if details["loc"] else "it") for details in _root_errors(error)]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean jaw?" for a name that is nearly one of the known ones, else ""."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _faults(text: YamlText, error: ValidationError, model: type[FileModel]) -> Iterator[tuple[int, str]]:
    for details in _root_errors(error):
        if details["input"] is UNBUILT:
            continue  # the text's own faults already explain this one
        is_key = details["loc"][-1:] == ("[key]",)
        place = text.place(details["loc"][:-1] if is_key else details["loc"])
        known = _fields_at(model, details["loc"])
        advice = did_you_mean(place.name, known) or (f"; known here: {', '.join(known)}" if len(known) <= 12 else "")
        label = place.label if details["type"] == "value_error" and not is_key else ""
        yield place.line, f"{place.around}{label}{_sentence(details, place.name, advice)}"


def _root_errors(error: ValidationError) -> Iterator[ErrorDetails]:
    """Give pydantic's errors, without those that only follow from others."""
    for details in error.errors(include_url=False):
        context = details.get("ctx", {})
        if details["type"] == "too_short" and len(details["input"]) >= context["min_length"]:
            continue  # it has entries, and each has a fault of its own
        if "discriminator" in context:
            tag = context["discriminator"].strip("'")
            details |= {"loc": (*details["loc"], tag), "input": details["input"].get(tag)}
        yield details


def _sentence(details: ErrorDetails, name: str, advice: str = "") -> str:
    value, kind = details["input"], details["type"]
    if value != value and kind != "value_error":
        kind = "float_type"  # NaN fails every comparison, so a complaint about a limit would mislead
    hint = number_hint(value, int if kind == "int_type" else float)
    context = {key: f"{one:g}" if isinstance(one, float) else one for key, one in details.get("ctx", {}).items()}
    values = {"name": name, "found": shown(value), "hint": hint, "advice": advice, **details, **context}
    return _SENTENCES.get(kind, "{name}: {msg}").format(**values)


def shown(value: object) -> str:
    """Write a value of a file, short enough for one line."""
    return "nothing" if value is None else _SHORT.repr(list(value) if isinstance(value, tuple) else value)


def _fields_at(model: type[FileModel], path: Sequence[str | int]) -> list[str]:
    """Return the fields that the models allow beside the one at the end of ``path``."""
    models = {model}
    for part in path[:-1]:
        inner = [field.annotation for one in models for key, field in one.model_fields.items() if key == part]
        member = {one for one in models if one.__name__ == part}  # of a union
        models = set(_models(inner)) or member or models  # an index leads no deeper
    return list(dict.fromkeys(key for one in models for key in one.model_fields))


def _models(annotations: Iterable[Any]) -> Iterator[type[FileModel]]:
    for annotation in annotations:
        if isinstance(annotation, type) and issubclass(annotation, FileModel):
            yield annotation
        else:
            yield from _models(get_args(annotation))
