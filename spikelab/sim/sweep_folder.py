"""The results of a sweep on disk: one JSON file for each point, and one NPZ file beside it for its arrays."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikelab.sim.units import text_of

#: Of the files' layout.
VERSION = 1


def as_json(value: Any, what: str) -> Any:
    """A parameter or result as what JSON can hold; quantities become text ("20 ms").

    Raises:
        TypeError: for anything that JSON cannot hold.
    """
    value = text_of(value)
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufU":
        return value.tolist()
    if isinstance(value, list | tuple):
        return [as_json(each, what) for each in value]
    if isinstance(value, Mapping):
        return {str(key): as_json(each, what) for key, each in value.items()}
    raise TypeError(
        f"{what}: a {type(value).__name__} cannot be written to a file; use numbers, text, True, False, None, lists, "
        "dicts"
    )


def name_of(function: str, parameters: Mapping[str, Any], seed: int) -> str:
    """The name of a point: a hash of what decides its result."""
    facts = {"function": function, "parameters": as_json(parameters, "parameters"), "seed": seed}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:20]


class SweepFolder:
    """A folder of results.

    Attributes:
        path: where it is.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)

    def finished(self, name: str) -> dict[str, Any] | None:
        """What was written of a point that is finished, or None. A file that cannot be read counts as none."""
        found = self._read(self.path / f"{name}.json")
        if found is None or found.get("version") != VERSION:
            return None
        if found["arrays"] and not (self.path / f"{name}.npz").exists():
            return None
        return found

    def failure(self, name: str) -> dict[str, Any] | None:
        """What was written of a point that failed, or None."""
        return self._read(self.path / f"{name}.failed.json")

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of a finished point."""
        with np.load(self.path / f"{name}.npz", allow_pickle=False) as file:
            return {key: file[key] for key in file.files}

    def write(self, name: str, facts: Mapping[str, Any], result: Any) -> None:
        """Writes what a point returned; the JSON file appears last, and complete.

        Raises:
            TypeError: if the result is no dict of numbers, text and arrays.
            ValueError: if it has a name that is a parameter's.
        """
        if not isinstance(result, Mapping) or not all(isinstance(key, str) for key in result):
            raise TypeError(f'takes a dict such as {{"rate": 5.2}} as result, got {type(result).__name__}')
        taken = sorted(set(result) & {*facts["parameters"], "seed", "point"})
        if taken:
            raise ValueError(f"the result has an entry {taken[0]!r}, which is a parameter's name; choose another")
        arrays = {key: value for key, value in result.items() if isinstance(value, np.ndarray) and value.ndim}
        for key, array in arrays.items():
            if array.dtype.kind not in "biufcU":
                raise TypeError(f"result {key!r}: an array of {array.dtype} cannot be written; use numbers or text")
        plain = {key: as_json(value, f"result {key!r}") for key, value in result.items() if key not in arrays}
        if arrays:
            self._appear(f"{name}.npz", lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))
        found = {"version": VERSION, **facts, "result": plain, "arrays": sorted(arrays)}
        self._write_json(f"{name}.json", found)
        (self.path / f"{name}.failed.json").unlink(missing_ok=True)

    def write_failure(self, name: str, facts: Mapping[str, Any], error: str, traceback: str) -> None:
        """Writes why a point failed."""
        self._write_json(f"{name}.failed.json", {"version": VERSION, **facts, "error": error, "traceback": traceback})

    def _write_json(self, name: str, value: Mapping[str, Any]) -> None:
        self._appear(name, lambda file: file.write(json.dumps(value, indent=1).encode()))

    def _appear(self, name: str, write: Any) -> None:
        """Writes a file that appears complete or not at all."""
        with tempfile.NamedTemporaryFile(dir=self.path, prefix=name, suffix=".tmp", delete=False) as file:
            try:
                write(file)
            except BaseException:
                os.unlink(file.name)
                raise
        os.replace(file.name, self.path / name)

    @staticmethod
    def _read(path: Path) -> dict[str, Any] | None:
        try:
            found = json.loads(path.read_text())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None
