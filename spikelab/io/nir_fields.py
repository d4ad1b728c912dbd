"""What each NIR primitive holds (NIR 1.0.8), and whether a node's fields are that."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from spikelab.io.nir_hdf5 import Damaged
from spikelab.registry import suggestion

#: No node may have more elements than this, whatever its file says: nothing could run it.
MAX_ELEMENTS = 1 << 31
#: Parameters that NIR did not always have, and what their absence meant. None: it says nothing.
OPTIONAL: dict[tuple[str, str], Any] = {
    **{(kind, "v_reset"): None for kind in ("IF", "LIF", "CubaLIF")},
    **{(kind, "w_in"): np.ones(()) for kind in ("CubaLI", "CubaLIF")},
    **{(kind, "input_shape"): None for kind in ("Conv1d", "Conv2d")},
    ("Flatten", "input_type"): None,
    ("Flatten", "start_dim"): 1,
    ("Flatten", "end_dim"): -1,
}

Check = Callable[[Any], Any]


class _Wrong(ValueError):
    """A field's value is not what it must be; the message follows the field's name."""


def _array(value: Any) -> np.ndarray:
    if isinstance(value, Damaged):
        raise _Wrong(value.why)
    if isinstance(value, str | bytes | list | dict) and not _numbers_in(value):
        what = f"is the text {str(value)[:40]!r}" if isinstance(value, str | bytes) else "is a group or text"
        raise _Wrong(f"{what}, but must be numbers")
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise _Wrong(f"holds {array.dtype}, but must be numbers")
    if array.size == 0:
        raise _Wrong(f"has shape {list(array.shape)} and so no value")
    wrong = array[~np.isfinite(array)]
    if wrong.size:
        raise _Wrong(f"holds {wrong.flat[0]} ({wrong.size} of {array.size} values are not finite)")
    if array.dtype.kind == "f" and float(np.abs(array).max()) > float(np.finfo(np.float32).max):
        raise _Wrong(f"holds {np.abs(array).max():g}, which is more than single precision can hold")
    return array


def _numbers_in(value: Any) -> bool:
    # a graph made in Python may hold plain lists where a file holds arrays
    return isinstance(value, list) and bool(value) and np.asarray(value, object).dtype == object and all(
        isinstance(number, int | float | np.number) for number in np.asarray(value, object).reshape(-1)
    )  # fmt: skip


def _positive(value: Any) -> np.ndarray:
    array = _array(value)
    wrong = array[array <= 0]
    if wrong.size:
        raise _Wrong(f"= {wrong.flat[0]} s, but a time constant must be > 0 ({wrong.size} of {array.size} values)")
    # what is too small for single precision would become zero
    if float(array.min()) < float(np.finfo(np.float32).tiny):
        raise _Wrong(f"= {array.min():g} s is too small for single precision")
    return array


def _not_negative(value: Any) -> np.ndarray:
    array = _array(value)
    if float(array.min()) < 0:
        raise _Wrong(f"= {array.min():g} s, but a delay must be >= 0")
    return array


def _matrix(value: Any) -> np.ndarray:
    array = _array(value)
    if array.ndim != 2:
        raise _Wrong(f"has shape {list(array.shape)}; only [out, in] can be run, so split the others into single nodes")
    return array


def _kernels(dimensions: int) -> Check:
    def check(value: Any) -> np.ndarray:
        array = _array(value)
        if array.ndim != 2 + dimensions:
            layout = "[out, in / groups, " + ("H, W]" if dimensions == 2 else "length]")
            raise _Wrong(f"has shape {list(array.shape)}, but must be {layout}")
        return array

    return check


def _whole(value: Any) -> np.ndarray:
    array = _array(value)
    if array.ndim > 1 or bool((np.abs(array.astype(float)) >= MAX_ELEMENTS).any()) or bool((array % 1 != 0).any()):
        raise _Wrong(f"= {array.tolist() if array.size < 9 else list(array.shape)}, but must be whole numbers")
    return array.astype(np.int64)


def _integer(low: int | None = None) -> Check:
    def check(value: Any) -> int:
        array = _whole(value)
        if array.size != 1:
            raise _Wrong(f"= {array.tolist()}, but must be one whole number")
        number = int(array.reshape(-1)[0])
        if low is not None and number < low:
            raise _Wrong(f"= {number}, but must be >= {low}")
        return number

    return check


def _sizes(dimensions: int, low: int) -> Check:
    def check(value: Any) -> tuple[int, ...]:
        array = _whole(value)
        if array.size not in (1, dimensions):
            raise _Wrong(f"= {array.tolist()}, but must be one number or {dimensions}")
        if int(array.min()) < low:
            raise _Wrong(f"= {array.tolist()}, but must be >= {low}")
        return tuple(int(number) for number in np.broadcast_to(array.reshape(-1), (dimensions,)))

    return check


def _padding(dimensions: int) -> Check:
    def check(value: Any) -> str | tuple[int, ...]:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if isinstance(text, str):
            if text not in ("same", "valid"):
                raise _Wrong(f"= {text[:40]!r}, but must be 'same', 'valid' or whole numbers")
            return text
        return _sizes(dimensions, 0)(value)

    return check


def shape_of(value: Any) -> tuple[int, ...]:
    """A shape: whole numbers > 0 whose product is no more than can be run."""
    array = _whole(next(iter(value.values())) if isinstance(value, Mapping) and len(value) == 1 else value)
    shape = tuple(int(size) for size in array.reshape(-1))
    if len(shape) > 8 or min(shape) < 1 or math.prod(shape) > MAX_ELEMENTS:
        raise _Wrong(f"= {list(shape)[:9]}, but must be sizes > 0 of at most {MAX_ELEMENTS} elements in all")
    return shape


def _convolution(dimensions: int) -> dict[str, Check]:
    return {
        "input_shape": _sizes(dimensions, 1),
        "weight": _kernels(dimensions),
        "stride": _sizes(dimensions, 1),
        "padding": _padding(dimensions),
        "dilation": _sizes(dimensions, 1),
        "groups": _integer(1),
        "bias": _array,
    }


_POOL: dict[str, Check] = {"kernel_size": _sizes(2, 1), "stride": _sizes(2, 1), "padding": _sizes(2, 0)}
_LI: dict[str, Check] = {"tau": _positive, "r": _array, "v_leak": _array}
_CUBA: dict[str, Check] = {"tau_syn": _positive, "tau_mem": _positive, "r": _array, "v_leak": _array, "w_in": _array}
_SPIKE: dict[str, Check] = {"v_threshold": _array, "v_reset": _array}

#: Primitive -> its fields, each with what makes a value of it or says why not.
FIELDS: dict[str, dict[str, Check]] = {
    "Input": {"shape": shape_of},
    "Output": {"shape": shape_of},
    "Affine": {"weight": _matrix, "bias": _array},
    "Linear": {"weight": _matrix},
    "Scale": {"scale": _array},
    "Conv1d": _convolution(1),
    "Conv2d": _convolution(2),
    "SumPool2d": _POOL,
    "AvgPool2d": _POOL,
    "Flatten": {"input_type": shape_of, "start_dim": _integer(), "end_dim": _integer()},
    "Delay": {"delay": _not_negative},
    "Threshold": {"threshold": _array},
    "I": {"r": _array},
    "LI": _LI,
    "IF": {"r": _array, **_SPIKE},
    "LIF": {**_LI, **_SPIKE},
    "CubaLI": _CUBA,
    "CubaLIF": {**_CUBA, **_SPIKE},
}
NEURONS = ("I", "LI", "IF", "LIF", "CubaLI", "CubaLIF")


def check_fields(kind: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A node's fields as arrays, tuples and numbers, and everything that is wrong with them.

    Args:
        kind: name of the primitive.
        given: field -> value, from a file or from a node; None stands for what is not there.

    Returns:
        fields (those that are optional and missing have their meaning, or None), and problems that name the field.
    """
    if kind not in FIELDS:
        return {}, [f"type {kind!r} is no NIR primitive; {suggestion(kind, list(FIELDS))}"]
    checks, values, problems = FIELDS[kind], {}, []
    for name in sorted(set(given) - set(checks)):
        problems.append(f"{name}: {kind} has no such field; {suggestion(name, list(checks))}")
    for name, check in checks.items():
        value = given.get(name)
        if value is None:
            if (kind, name) not in OPTIONAL:
                problems.append(
                    f"{name}: missing; {kind} needs {', '.join(n for n in checks if (kind, n) not in OPTIONAL)}"
                )
                continue
            values[name] = OPTIONAL[kind, name]
            continue
        try:
            values[name] = check(value)
        except (ValueError, TypeError, OverflowError) as error:
            problems.append(f"{name} {error}")
    if not problems:
        problems += _together(kind, values)
    return values, problems


def _together(kind: str, values: dict[str, Any]) -> list[str]:
    """What is wrong with fields that are right by themselves."""
    if kind in NEURONS:
        shapes = {name: np.shape(value) for name, value in values.items() if value is not None and np.ndim(value) > 0}
        if len(set(shapes.values())) > 1:
            each = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
            return [f"parameters of different shapes: {each}; give each the neurons' shape"]
    if kind == "Affine" and values["bias"].shape != values["weight"].shape[:1]:
        return [f"bias has shape {list(values['bias'].shape)}, but weight makes {values['weight'].shape[0]} outputs"]
    if kind in ("Conv1d", "Conv2d"):
        return _conv_together(values)
    if kind in ("SumPool2d", "AvgPool2d"):
        wide = any(2 * p > k for p, k in zip(values["padding"], values["kernel_size"], strict=True))
        if wide:
            return [
                f"padding = {list(values['padding'])} is more than half of kernel_size {list(values['kernel_size'])}"
            ]
    return []


def _conv_together(values: dict[str, Any]) -> list[str]:
    problems, outputs, groups = [], values["weight"].shape[0], values["groups"]
    if outputs % groups:
        problems.append(f"groups = {groups} does not divide the {outputs} output channels of weight")
    if values["bias"].shape != (outputs,):
        problems.append(f"bias has shape {list(values['bias'].shape)}, but weight makes {outputs} channels")
    if values["padding"] == "same" and any(step != 1 for step in values["stride"]):
        problems.append(f"padding = 'same' needs stride 1, here {list(values['stride'])}; write the padding in numbers")
    return problems
