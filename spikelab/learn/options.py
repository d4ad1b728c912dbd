"""Options of registered things, as a command line or a settings file gives them, checked against the signature."""

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from spikelab.registry import suggestion

_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a word", Path: "a path"}
_MANY = {int: "whole numbers, such as [3, 5]", float: "numbers, such as [0.5, 2.0]", str: "words, such as [one, two]"}


def checked_options(
    function: Callable[..., Any], options: Mapping[str, Any], what: str, own: Collection[str] = ()
) -> dict[str, Any]:
    """The options that a class or function takes, in the types that its signature names.

    Where a list is taken, `40,40` is one and so is a single value; where nothing may stand, `none` says so. Nothing
    else is converted.

    Args:
        function: What takes the options; parameters without a plain type are not checked.
        options: Name -> value.
        what: What the options are of, for messages, such as "model 'halsie'".
        own: Parameters that are no options.

    Raises:
        ValueError: If there is no such option, or its value is of another type; names both and what it takes.
    """
    known = [name for name in inspect.signature(function).parameters if name not in own]
    for name in options:
        if name not in known:
            raise ValueError(f"{what} has no option {name!r}; {suggestion(name, known)}")
    hints = get_type_hints(function.__init__ if inspect.isclass(function) else function)
    return {name: _checked(value, hints.get(name, Any), f"{what}: {name}") for name, value in options.items()}


def _checked(value: Any, hint: Any, name: str) -> Any:
    choices = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    lists = [each for each in choices if get_origin(each) in (Sequence, list, tuple)]
    if not all(map(_is_plain, choices)):
        return value
    if NoneType in choices and value == "none":
        return None
    given = value
    if lists and str not in choices and isinstance(value, str):
        parts = value.strip().removeprefix("[").removesuffix("]").split(",")
        given = [part.strip().strip("\"'") for part in parts if part.strip()]
    elif lists and str not in choices and isinstance(value, bool | int | float):
        given = [value]
    import jsonargparse  # it takes a while, and few calls have options

    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--value", type=hint)
    try:
        parsed = parser.parse_object({"value": list(given) if isinstance(given, tuple) else given}).value
    except jsonargparse.ArgumentError:
        raise ValueError(f"{name} = {value!r}: takes {' or '.join(map(_described, choices))}") from None
    # a whole number where any number is taken stays as it was written, also in later messages
    return value if parsed == value else parsed


def _is_plain(hint: Any) -> bool:
    origin = get_origin(hint)
    if origin in (Sequence, list, tuple):
        return all(item in _MANY for item in get_args(hint))
    return hint in (*_WORDS, NoneType) or origin is Literal


def _described(hint: Any) -> str:
    origin, items = get_origin(hint), get_args(hint)
    if origin is Literal:
        return f"one of {', '.join(map(str, items))}"
    if origin is tuple:
        return f"{len(items)} {_MANY[items[0]]}"
    if origin in (Sequence, list):
        return f"a list of {_MANY[items[0]]}"
    return "none" if hint is NoneType else _WORDS[hint]
