"""The folder of a run: everything that it takes to know what was done, to go on with it, and to use what came of it."""

import contextlib
import datetime
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from spikelab.io import settings_file
from spikelab.io.atomic import write_json_atomically
from spikelab.learn.environment import command_line, devices, threads, versions
from spikelab.settings import Train


class RunError(RuntimeError):
    """A run folder that is not one, or that cannot be used as asked."""


class RunFolder:
    """Names of the files of a run.

    Attributes:
        settings: All settings, as TOML; `--config` takes it.
        record: Each start of the run with its command, versions and devices, and the result, as JSON.
        log: One line of JSON per logged step and per validation.
        last: The newest checkpoint.
        best: The checkpoint with the best validation score.
        tensorboard: Folder of TensorBoard's files.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.settings = self.path / "settings.toml"
        self.record = self.path / "run.json"
        self.log = self.path / "log.jsonl"
        self.last = self.path / "last.safetensors"
        self.best = self.path / "best.safetensors"
        self.tensorboard = self.path / "tensorboard"

    def exists(self) -> bool:
        """Whether a run has been started here."""
        return self.settings.exists()

    def read_settings(self) -> Train:
        """The run's settings.

        Raises:
            RunError: If there is no run here; the message names runs in folders below.
            SettingsError: If its settings file is broken.
        """
        if not self.exists():
            raise RunError(f"{self.path}: not the folder of a run (it has no {self.settings.name}){self._runs_below()}")
        if "task" not in settings_file.load_toml(self.settings):
            found = "is the folder of another command than spikelab train, and not of a run"
            raise RunError(f"{self.path}: {found}{self._runs_below()}")
        return settings_file.read(Train, self.settings)

    def _runs_below(self) -> str:
        below = sorted(path.parent.name for path in self.path.glob("*/run.json"))
        return f"; runs in it: {', '.join(below[:5])}{', ...' if len(below) > 5 else ''}" if below else ""

    def checkpoint(self, which: str) -> Path:
        """The checkpoint "best" or "last".

        Raises:
            RunError: If the run has not written it.
        """
        path = {"best": self.best, "last": self.last}[which]
        if not path.exists():
            other = self.last if which == "best" else self.best
            remedy = f"use --checkpoint {other.stem}" if other.exists() else "it was stopped before it wrote one"
            raise RunError(f"{self.path}: the run has no {path.name}: {remedy}")
        return path

    def create(self, settings: Train) -> None:
        """Make the folder of a new run, and write its settings into it.

        Raises:
            RunError: If it already holds a run.
        """
        if self.exists():
            raise RunError(
                f"{self.path}: already holds a run; go on with it (--resume {self.path}), or choose another --folder"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        settings_file.write(replace(settings, folder=str(self.path), resume=None, json=None), self.settings)

    def discard(self) -> None:
        """Take away what a start has written that came to no step, so that the next may have the folder."""
        for path in (self.settings, self.record, self.log):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.tensorboard, ignore_errors=True)
        with contextlib.suppress(OSError):  # something else lies in it
            self.path.rmdir()

    def note_start(self, settings: Train, step: int) -> None:
        """Add a start of this run, at a step, to its record."""
        record = self.read_record()
        record["seed"] = settings.seed
        record.setdefault("starts", []).append(
            {
                "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "step": step,
                "command": command_line(),
                "versions": versions(),
                "devices": devices(),
                "threads": threads(),
            }
        )
        write_json_atomically(self.record, record)

    def note_result(self, result: dict[str, Any]) -> None:
        """Put the result of the finished run into its record."""
        write_json_atomically(self.record, self.read_record() | {"result": result})

    def read_record(self) -> dict[str, Any]:
        """The record so far; empty for a new run.

        Raises:
            RunError: If the file is not JSON.
        """
        if not self.record.exists():
            return {}
        try:
            return json.loads(self.record.read_text())
        except ValueError as error:
            raise RunError(f"{self.record}: not JSON ({error}); delete it, nothing else needs it") from error
