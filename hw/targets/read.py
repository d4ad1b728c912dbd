"""Reads a target from a TOML file and checks every key of it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikelab.hw.placement import resources
from spikelab.hw.placement.limits import LIMITS
from spikelab.hw.target import (
    CUTS,
    DOCUMENTED,
    PACKINGS,
    STATUSES,
    WEIGHT_FORMATS,
    CoreClass,
    Number,
    Resource,
    Target,
)
from spikelab.registry import TABLES, suggestion

_TEXTS = ("name", "title", "status", "profile", "weight_format", "steps", "packing")
_TABLES = ("sources", "resources", "chip", "limits", "parameters")
_KEYS = (*_TEXTS, "neurons", "split", "notes", "cores", "mesh", *_TABLES)
_NUMBER_KEYS = ("value", "unit", "source", "status")
_RESOURCE_KEYS = ("title", "unit", "cost", "source", "status", "options")


class TargetError(ValueError):
    """A target file that makes no sense; says everything that is wrong with it."""


def read_target(path: str | Path) -> Target:
    """Reads a target.

    Args:
        path: a TOML file as those in ``hw/targets``.

    Raises:
        TargetError: names file, key and remedy of everything that is wrong with it.
    """
    path = Path(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TargetError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TargetError(f"{path}: is not TOML ({error})") from error
    reader = _Reader(path, data)
    target = reader.target()
    if reader.problems or target is None:
        raise TargetError("\n".join(f"{path}: {problem}" for problem in reader.problems))
    return target


class _Reader:
    def __init__(self, path: Path, data: Mapping[str, Any]):
        self.path, self.data = path, data
        self.problems: list[str] = []
        self.sources: dict[str, str] = {}
        self.status = DOCUMENTED

    def target(self) -> Target | None:
        data = self.data
        self._known("", data, _KEYS)
        texts = {key: self._text("", data, key) for key in _TEXTS}
        self.status = texts["status"] if texts["status"] in STATUSES else DOCUMENTED
        self._one_of("status", texts["status"], STATUSES)
        self._one_of("packing", texts["packing"], PACKINGS)
        self._one_of("weight_format", texts["weight_format"], WEIGHT_FORMATS)
        self.sources = {key: self._text("sources", data["sources"], key) for key in self._table("sources")}
        neurons, split = self._texts("neurons"), self._texts("split")
        for name in neurons:
            self._one_of("neurons", name, tuple(TABLES["integer_neurons"]))
        for name in split:
            self._one_of("split", name, CUTS)
        found = {key: self._resource(key, value) for key, value in self._table("resources").items()}
        numbers = {
            where: self._numbers(where, self._table(where), known)
            for where, known in (("chip", tuple(found)), ("limits", tuple(LIMITS)), ("parameters", None))
        }
        for name, number in numbers["parameters"].items():
            if len(number.allowed) != 2:
                self.problems.append(f"parameters.{name}: value must be [smallest, largest], not {number.value!r}")
        cores = tuple(self._core(place, value, tuple(found)) for place, value in enumerate(self._list("cores")))
        for key, there, remedy in (
            ("neurons", neurons, "name the integer neurons that it runs"),
            ("resources", found, "give at least one [resources.NAME]"),
            ("cores", cores, "give at least one [[cores]]"),
        ):
            if not there:
                self.problems.append(f"{key}: there is none; {remedy}")
        if mesh_problem := self._mesh_problem():
            self.problems.append(mesh_problem)
        mesh = self._number("mesh", data["mesh"]) if "mesh" in data else None
        if self.problems:
            return None
        return Target(
            **texts, neurons=neurons, split=split, resources=found, cores=cores, chip=numbers["chip"],
            limits=numbers["limits"], parameters=numbers["parameters"], mesh=mesh, notes=self._texts("notes"),
            path=self.path,
        )  # fmt: skip

    def _mesh_problem(self) -> str:
        mesh = self.data.get("mesh")
        value = mesh.get("value") if isinstance(mesh, dict) else None
        if mesh is None or (isinstance(value, list) and len(value) == 2 and all(n for n in value)):
            return ""
        return f"mesh.value = {value!r} must be [columns, rows]"

    def _known(self, where: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                at = f"{where}: " if where else ""
                self.problems.append(f"{at}unknown key {key!r}; {suggestion(key, list(known))}")

    def _one_of(self, where: str, value: str, known: tuple[str, ...]) -> None:
        if value and value not in known:
            self.problems.append(f"{where} = {value!r}: {suggestion(value, list(known))}")

    def _text(self, where: str, table: Mapping[str, Any], key: str, default: str | None = None) -> str:
        value, at = table.get(key, default), f"{where}.{key}" if where else key
        if isinstance(value, str) and value:
            return value
        self.problems.append(f"{at} is missing" if value is None else f"{at} = {value!r} must be a text")
        return ""

    def _texts(self, key: str) -> tuple[str, ...]:
        value = self.data.get(key, [])
        if isinstance(value, list) and all(isinstance(text, str) for text in value):
            return tuple(value)
        self.problems.append(f"{key} = {value!r} must be a list of texts")
        return ()

    def _table(self, key: str) -> Mapping[str, Any]:
        value = self.data.get(key, {})
        if isinstance(value, dict):
            return value
        self.problems.append(f"{key} = {value!r} must be a table")
        return {}

    def _list(self, key: str) -> list[Any]:
        value = self.data.get(key, [])
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return value
        self.problems.append(f"{key} must be written as [[{key}]]")
        return []

    def _source(self, where: str, table: Mapping[str, Any]) -> str:
        text = self._text(where, table, "source")
        if text and text not in self.sources:
            self.problems.append(f"{where}.source = {text!r}: not in [sources]; {suggestion(text, list(self.sources))}")
        return self.sources.get(text, "")

    def _status(self, where: str, table: Mapping[str, Any]) -> str:
        status = self._text(where, table, "status", self.status)
        self._one_of(f"{where}.status", status, STATUSES)
        return status

    def _number(self, where: str, value: Any) -> Number:
        if not isinstance(value, dict):
            self.problems.append(f"{where} = {value!r} must be a table {{ value, unit, source }}")
            return Number(0, "", "")
        self._known(where, value, _NUMBER_KEYS)
        given = value.get("value")
        whole = isinstance(given, int) or (
            isinstance(given, list) and bool(given) and all(isinstance(item, int) for item in given)
        )
        if not whole:
            self.problems.append(f"{where}.value = {given!r} must be a whole number, or a list of them")
            given = 0
        made = tuple(given) if isinstance(given, list) else int(given or 0)
        unit = self._text(where, value, "unit", "none")
        return Number(made, unit, self._source(where, value), self._status(where, value))

    def _numbers(self, where: str, table: Mapping[str, Any], known: tuple[str, ...] | None = None) -> dict[str, Number]:
        if known is not None:
            self._known(where, table, known)
        return {key: self._number(f"{where}.{key}", value) for key, value in table.items()}

    def _resource(self, name: str, value: Any) -> Resource:
        where = f"resources.{name}"
        if not isinstance(value, dict):
            self.problems.append(f"{where} must be a table [{where}]")
            value = {}
        self._known(where, value, _RESOURCE_KEYS)
        cost = self._text(where, value, "cost")
        options = value.get("options", {})
        known = resources.options(cost) if cost in resources.COSTS else None
        self._one_of(f"{where}.cost", cost, tuple(resources.COSTS))
        if not isinstance(options, dict):
            self.problems.append(f"{where}.options must be a table")
            options = {}
        made = self._numbers(f"{where}.options", options, known)
        for missing in sorted({*(known or ())} - {*options}):
            self.problems.append(f"{where}.options.{missing} is missing; the cost {cost!r} needs it")
        return Resource(
            self._text(where, value, "title"), self._text(where, value, "unit"), cost, self._source(where, value),
            self._status(where, value), made,
        )  # fmt: skip

    def _core(self, place: int, value: Mapping[str, Any], known: tuple[str, ...]) -> CoreClass:
        where = f"cores[{place}]"
        self._known(where, value, ("count", "capacity"))
        count = self._number(f"{where}.count", value.get("count"))
        if count.least < 1:
            self.problems.append(f"{where}.count = {count.value!r} must be 1 or more")
        capacity = value.get("capacity")
        if not isinstance(capacity, dict):
            self.problems.append(f"{where}.capacity must be a table of resources")
            capacity = {}
        made = self._numbers(f"{where}.capacity", capacity, known)
        for missing in [name for name in known if name not in made]:
            self.problems.append(f"{where}.capacity.{missing} is missing; it is one of [resources]")
        return CoreClass(count, made)
