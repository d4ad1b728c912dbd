"""What is registered under a name, and its options: what `spikelab info --about NAME` shows."""

import inspect
from typing import Any

import docstring_parser

from spikelab import registry
from spikelab.neurons.spec import NeuronSpec

# what the library gives to a constructor by itself, beside what the options say
_GIVEN = {
    "rules": ("model", "task", "sample_shapes"),
    "continual_methods": ("learner",),
    "streams": ("seed",),
    "datasets": ("split",),
    "tasks": ("dataset", "loss"),
}


def about(name: str) -> dict[str, dict[str, Any]]:
    """Everything that is registered under a name.

    Args:
        name: As settings and command lines give it.

    Returns:
        For each kind that has the name: `summary`, `options` (name -> `default`, and `what` it is) and `is`, where it
        comes from.

    Raises:
        UnknownNameError: If nothing is registered under the name.
        ImportError: If something which it needs is not installed.
    """
    kinds = [kind for kind in registry.TABLES if name in registry.names(kind)]
    if not kinds:
        everything = sorted({each for kind in registry.TABLES for each in registry.names(kind)})
        close = registry.suggestion(name, everything).partition("Known:")[0]
        raise registry.UnknownNameError(f"nothing is registered as {name!r}; {close}`spikelab info` lists all names")
    return {kind: _described(kind, name) for kind in kinds}


def _described(kind: str, name: str) -> dict[str, Any]:
    thing = registry.load(kind, name)
    place = registry.TABLES[kind][name]
    if isinstance(thing, NeuronSpec):
        known = {
            each.name: {"default": f"{each.default:g} {each.unit}".removesuffix(" 1"), "what": each.meaning}
            for each in thing.parameters
        }
        return {"summary": f"{thing.title} ({thing.source})", "options": known, "is": place}
    parsed = docstring_parser.parse(inspect.getdoc(thing) or "")
    told: dict[str, str] = {}
    # a subclass explains what it adds
    for each in reversed(inspect.getmro(thing) if inspect.isclass(thing) else (thing,)):
        params = docstring_parser.parse(inspect.cleandoc(each.__doc__ or "")).params
        told |= {entry.arg_name: " ".join((entry.description or "").split()) for entry in params}
    found: dict[str, Any] = {"summary": parsed.short_description or ""}
    if callable(thing):
        options = {}
        for option, parameter in inspect.signature(thing).parameters.items():
            if option in _GIVEN.get(kind, ()):
                continue
            default = "required" if parameter.default is parameter.empty else str(parameter.default)
            options[option] = {"default": default, "what": told.get(option, "")}
        found["options"] = options
    return {**found, "is": place}


def shown(found: dict[str, dict[str, Any]]) -> str:
    """The same as text."""
    lines = []
    for kind, entry in found.items():
        lines += [f"{kind}: {entry['is']}", f"  {entry['summary']}"]
        options = entry.get("options", {})
        width = max((len(f"{name} = {option['default']}") for name, option in options.items()), default=0)
        for name, option in options.items():
            head = f"{name} = {option['default']}"
            lines.append(f"    {head:<{min(width, 36)}}  {option['what']}".rstrip())
    return "\n".join(lines)
