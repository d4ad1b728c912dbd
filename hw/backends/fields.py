"""Fields of a JSON file, asked for by name and type, so that every error names file, field, value and what must be."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

_LARGEST_FILE = 2**26
_INT64 = 2**63 - 1


class FileProblem(ValueError):
    """A file that is not what it should be; the message names it, the field and what was expected."""


class Fields:
    """An object of a JSON file.

    Args:
        values: its fields.
        path: of the file.
        where: of the object in it, such as ``populations[2]``.
    """

    def __init__(self, values: dict[str, Any], path: Path, where: str = ""):
        self._values, self.path, self.where = values, path, where

    def problem(self, name: str, value: object, expected: str) -> FileProblem:
        """The error to raise for a field."""
        shown = repr(value) if len(repr(value)) < 80 else repr(value)[:77] + "..."
        return FileProblem(f"{self.path}: {self._place(name)} is {shown}, but must be {expected}")

    def names(self) -> list[str]:
        """The names of all fields."""
        return list(self._values)

    def has(self, name: str) -> bool:
        """Whether there is such a field, and it is not null."""
        return self._values.get(name) is not None

    def get(self, name: str) -> Any:
        """A field of any type."""
        if name not in self._values:
            raise FileProblem(f"{self.path}: {self._place(name)} is missing")
        return self._values[name]

    def text(self, name: str) -> str:
        """A text."""
        value = self.get(name)
        if not isinstance(value, str):
            raise self.problem(name, value, "a text")
        return value

    def one_of(self, name: str, known: Sequence[str]) -> str:
        """One of some texts."""
        value = self.get(name)
        if value not in known or not isinstance(value, str):
            raise self.problem(name, value, f"one of {', '.join(known)}")
        return value

    def whole(self, name: str, low: int = -_INT64, high: int = _INT64) -> int:
        """A whole number within limits."""
        return self._whole(self.get(name), name, low, high)

    def shape(self, name: str, low: int = 1, count: int | None = None) -> tuple[int, ...]:
        """A list of whole numbers from low on."""
        value = self.get(name)
        if not isinstance(value, list) or len(value) > 32 or (count is not None and len(value) != count):
            raise self.problem(name, value, f"a list of {count if count is not None else 'at most 32'} whole numbers")
        return tuple(self._whole(v, f"{name}[{k}]", low, 2**40) for k, v in enumerate(value))

    def pair(self, name: str, low: int) -> tuple[int, int]:
        """Two whole numbers from low on."""
        down, right = self.shape(name, low, 2)
        return down, right

    def fraction(self, name: str) -> Fraction | None:
        """Numerator and denominator; None where the field is null."""
        return self._fraction(self.get(name), name) if self.has(name) else None

    def fractions(self, name: str) -> tuple[Fraction, ...]:
        """A list of pairs of numerator and denominator."""
        return tuple(self._fraction(value, f"{name}[{k}]") for k, value in enumerate(self._list(name)))

    def object(self, name: str) -> Fields:
        """An object inside."""
        value = self.get(name)
        if not isinstance(value, dict):
            raise self.problem(name, value, "an object")
        return Fields(value, self.path, self._place(name))

    def objects(self, name: str) -> Iterator[Fields]:
        """A list of objects."""
        for k, value in enumerate(self._list(name)):
            if not isinstance(value, dict):
                raise self.problem(f"{name}[{k}]", value, "an object")
            yield Fields(value, self.path, self._place(f"{name}[{k}]"))

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        values = self._list(name)
        for k, value in enumerate(values):
            if not isinstance(value, str):
                raise self.problem(f"{name}[{k}]", value, "a text")
        return values

    def _list(self, name: str) -> list[Any]:
        value = self.get(name)
        if not isinstance(value, list):
            raise self.problem(name, value, "a list")
        return value

    def _whole(self, value: Any, name: str, low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.problem(name, value, f"a whole number from {low} to {high}")
        return value

    def _fraction(self, value: Any, name: str) -> Fraction:
        if isinstance(value, list) and len(value) == 2 and all(type(v) is int for v in value) and value[1] > 0:
            return Fraction(value[0], value[1])
        raise self.problem(name, value, "[numerator, denominator], the denominator above 0")

    def _place(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name


def read_fields(path: Path) -> Fields:
    """Reads a JSON file whose top is an object.

    Raises:
        FileProblem: if it cannot be read or is something else.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > _LARGEST_FILE:
                raise FileProblem(f"{path}: has {size} bytes, but at most {_LARGEST_FILE} are read")
            values = json.loads(file.read(size))
    except OSError as error:
        raise FileProblem(f"{path}: cannot be read: {error.strerror}") from error
    except FileProblem:
        raise
    except (ValueError, RecursionError) as error:
        raise FileProblem(f"{path}: is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise FileProblem(f"{path}: holds a {type(values).__name__}, but must hold an object")
    return Fields(values, path)
