"""Quantities with units, checked, as methods sections write them: ``20 * ms``, ``-50 * mV``, ``[1, 2] * nS``, "20 ms".

    from spikelab.sim.units import ms, mV

Units are those of pint, from a registry of our own, imported with the first one that is asked for. Everything inside
spikelab is a float in SI units; ``si`` is the door. Quantities of any other pint registry pass it as well.
"""

from __future__ import annotations

import math
import re
import warnings
from functools import cache
from typing import Any

import numpy as np

#: The units that can be imported from this module.
UNITS = (
    *("second", "ms", "us", "minute", "hour"),
    *("volt", "mV", "uV"),
    *("ampere", "mA", "uA", "nA", "pA"),
    *("siemens", "mS", "uS", "nS", "pS"),
    *("ohm", "kohm", "Mohm", "Gohm"),
    *("farad", "uF", "nF", "pF"),
    *("coulomb", "nC", "pC", "fC"),
    *("hertz", "Hz", "kHz"),
    *("metre", "cm", "mm", "um", "nm"),
    "percent",
)
_EXAMPLES = {
    **{"s": "20 * ms", "V": "-50 * mV", "A": "200 * pA", "S": "6 * nS", "ohm": "100 * Mohm", "F": "200 * pF"},
    **{"Hz": "15 * Hz", "m": "100 * um", "1": "0.5"},
}
#: Unit -> the largest magnitude that is usual in a network of neurons; more is most often a number meant in mV or ms.
_USUAL = {"V": 1.0, "s": 0.5, "A": 1e-6, "S": 1e-3, "F": 1e-6}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_TEXT = re.compile(rf"\s*({_NUMBER})\s*(.{{0,60}}?)\s*")
_TERM = re.compile(r"\s*([*·/]?)\s*([A-Za-zµμΩ°%_]{1,30}|1(?!\d))(?:(?:\*\*|\^)(-?\d))?\s*")
_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}


@cache
def _registry() -> Any:
    import pint

    return pint.UnitRegistry()


def __getattr__(name: str) -> Any:
    if name in UNITS:
        return getattr(_registry(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *UNITS])


def _units_of_text(text: str) -> Any:
    """A product of powers of named units. Pint's own reader works out any arithmetic, however long that takes."""
    units, place = _registry().dimensionless, 0
    while place < len(text):
        term = _TERM.match(text, place)
        if term is None or term.end() == place:
            raise ValueError(f"{text[place:]!r} is not a unit")
        sign, name, power = term.groups()
        unit = _registry().parse_units("" if name == "1" else name)
        units *= unit ** (int(power or 1) * (-1 if sign == "/" else 1))
        place = term.end()
    return units


def _quantity_of_text(text: str) -> Any:
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError("it is not a number and a unit")
    return _registry().Quantity(float(match[1]), _units_of_text(match[2]))


def _is_unit(value: Any) -> bool:
    return hasattr(value, "dimensionality") and not hasattr(value, "magnitude")


def _is_quantity(value: Any) -> bool:
    return hasattr(value, "dimensionality") and hasattr(value, "magnitude")


def _converted(quantity: Any, unit: str) -> Any:
    """The magnitude in a unit, rounded once: 16.2 pA is the float 16.2e-12 and not its neighbour."""
    registry = quantity._REGISTRY
    target = "" if unit == "1" else unit

    def magnitude(of_one: float) -> float:
        return float(registry.Quantity(of_one, quantity.units).to(target).magnitude)

    zero, factor = magnitude(0.0), magnitude(1.0)
    if zero != 0:  # degrees Celsius and their like
        return quantity.to(target).magnitude
    if factor < 1:
        divisor = round(1 / factor)
        if math.isclose(divisor * factor, 1, rel_tol=1e-12):
            return quantity.magnitude / float(divisor)
    whole = round(factor)
    return quantity.magnitude * (float(whole) if whole and math.isclose(whole, factor, rel_tol=1e-12) else factor)


def _number(value: Any, unit: str) -> Any:
    if isinstance(value, str):
        if unit != "1" and re.fullmatch(rf"\s*{_NUMBER}\s*", value):
            raise ValueError("it has no unit")
        value = _quantity_of_text(value)
    if _is_unit(value):
        value = 1.0 * value
    if _is_quantity(value):
        value = _converted(value, unit)
    elif isinstance(value, list | tuple):
        return np.array([_number(item, unit) for item in value], np.float64)
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{type(value).__name__} is neither a number nor a quantity")
    return array.astype(np.float64, copy=False)


def si(value: Any, unit: str, what: str) -> Any:
    """A value as a float, or a float64 array, in a unit.

    Args:
        value: a number or an array, which is taken to be in ``unit``; a quantity such as ``20 * ms``, also one of an
            array; a text such as "20 ms"; or a list of these. A text without a unit is refused unless ``unit`` is "1".
        unit: an SI unit such as "s", "V" or "A/V", or "1" for a number without dimension.
        what: name of the value in errors, such as "cells: tau_mem".

    Returns:
        float, or float64 array of the value's shape (the given array itself where it is one of float64).

    Raises:
        ValueError: for a wrong dimension, NaN, infinity, or what cannot be read.
    """
    try:
        numbers = _number(value, unit)
    except Exception as error:  # pint's errors have several roots
        # without the list of dimensions that pint adds in parentheses
        cause = re.sub(r" \([^()]*\)", "", f"; {error}") if str(error) else ""
        wanted = _wanted(unit, isinstance(value, str))
        raise ValueError(f"{what} = {_shown(value)} must be {wanted}{cause}{_other_case(value, unit)}") from None
    if not np.isfinite(numbers).all():
        place = np.argwhere(~np.isfinite(numbers))[0] if numbers.ndim else []
        where = f" at {[int(i) for i in place]}" if len(place) else ""
        raise ValueError(f"{what} = {_shown(value)} must be finite and not NaN{where}; it must be {_wanted(unit)}")
    return numbers if numbers.ndim else float(numbers)


def _other_case(value: Any, unit: str) -> str:
    """A hint for "16.2 pa", which is a picoyear."""
    match = _TEXT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return ""
    number, name = match.groups()
    for each in UNITS:
        differs_in_case = each.lower() == name.lower() and each != name
        if differs_in_case and getattr(_registry(), each).is_compatible_with(unit):
            return f"; did you mean {number} {each}?"
    return ""


def warn_of_units(value: Any, unit: str, what: str, most: float | None = None) -> None:
    """Warns of a value that no neuron has: plain numbers are in SI units, and -65 is then not -65 mV.

    Args:
        value: in the unit, one number or an array.
        unit: its unit; of those in which nothing is unusual, no value warns.
        what: name of the value, such as "cells: v_reset".
        most: largest usual magnitude, where it is not that of the unit.
    """
    most = _USUAL.get(unit) if most is None else most
    if most is not None and np.size(value) and (largest := float(np.max(np.abs(value)))) > most:
        warnings.warn(
            f"{what} = {largest:g} {unit} is unusually large; plain numbers are in SI units: write {_EXAMPLES[unit]} "
            f"for other ones",
            stacklevel=4,
        )


def _wanted(unit: str, as_text: bool = False) -> str:
    if unit == "1":
        return "a number without a unit, such as 0.5"
    if as_text:
        example = f', such as "{_EXAMPLES[unit].replace(" * ", " ")}"' if unit in _EXAMPLES else ""
        return f"a quantity in {unit}{example}"
    example = f", such as {_EXAMPLES[unit]}" if unit in _EXAMPLES else ""
    return f"a quantity in {unit}{example}, or a number in {unit}"


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def text_of(value: Any) -> Any:
    """A quantity of one number as text that ``si`` reads ("-60.0 mV"); whatever else, as it is.

    Records keep quantities in this form: it is plain data, compares by value, and can be written to a file.
    """
    if _is_unit(value):
        value = 1.0 * value
    if isinstance(value, str):
        match = _TEXT.fullmatch(value)
        return value if match is None or not match[2] else f"{float(match[1])!r} {match[2]}"
    if _is_quantity(value) and np.ndim(value.magnitude) == 0:
        return f"{float(value.magnitude)!r} {value.units:~C}".rstrip()
    return value


def show(value: float, unit: str) -> str:
    """A value in an SI unit as text with a prefix that suits its size: ``show(0.02, "s")`` is "20 ms"."""
    if unit == "1":
        return f"{value:g}"
    plain = re.fullmatch(r"[A-Za-z]+", unit) and unit not in ("kg", "m2")
    if not plain or value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    rounded = float(f"{value:.6g}")
    exponent = min(max(3 * math.floor(math.log10(abs(rounded)) / 3), -15), 9)
    if unit == "s":
        exponent = min(exponent, 0)
    return f"{rounded / 10.0**exponent:.6g} {_PREFIXES[exponent]}{unit}"
