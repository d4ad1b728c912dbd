"""The whole experiment: every rule and every seed, the probability sweep and the readouts' geometry; resumable."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from spikelab.io.atomic import write_json_atomically
from spikelab.sim.what_and_when.geometry import LATENCIES, PROBABILITIES, readout_geometry
from spikelab.sim.what_and_when.parameters import (
    DEFAULT_BLOCKS,
    Block,
    LearningParameters,
    ReservoirParameters,
    TaskParameters,
)
from spikelab.sim.what_and_when.probability_sweep import LEVELS, probability_sweep
from spikelab.sim.what_and_when.readout import require_loop
from spikelab.sim.what_and_when.reservoir import Reservoir
from spikelab.sim.what_and_when.session import run_session

#: Written into every part, and raised when a part's form or meaning changes: older ones are then measured again.
_FORM = 1
#: Trials of one condition of the geometry.
_GEOMETRY_TRIALS = 60


@dataclass(frozen=True)
class Experiment:
    """What is to be run.

    Attributes:
        rules: names in ``RULES``.
        seeds: each a reservoir, noise and events of its own.
        reservoir: its ``seed`` is replaced by each of ``seeds``.
        blocks: of a session.
        task: the trial.
        learning: the readouts' numbers.
        sweep: trials at each of eleven probabilities; 0 leaves the sweep out.
        geometry: whether to compare the readouts of twenty conditions.
    """

    rules: tuple[str, ...] = ("three_factor", "force", "force_merged", "force_reset")
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    reservoir: ReservoirParameters = field(default_factory=ReservoirParameters)
    blocks: Sequence[Block] = DEFAULT_BLOCKS
    task: TaskParameters = field(default_factory=TaskParameters)
    learning: LearningParameters = field(default_factory=LearningParameters)
    sweep: int = 100
    geometry: bool = True

    def __post_init__(self) -> None:
        if not self.rules:
            raise ValueError("Experiment: rules is empty; name at least one")
        if not self.seeds:
            raise ValueError("Experiment: seeds is empty; name at least one")
        for name in ("rules", "seeds"):
            given = getattr(self, name)
            if len(set(given)) < len(given):
                raise ValueError(
                    f"Experiment: {name} = {given}: name each once; the same twice is no second measurement"
                )
        if not self.blocks:
            raise ValueError("Experiment: blocks is empty; give at least one")
        if self.sweep < 0:
            raise ValueError(f"Experiment: sweep = {self.sweep} trials: use 0 for none, or more")
        for rule in self.rules:
            require_loop(rule, self.reservoir.feedback)
        for block in self.blocks:
            self.task.check(block)

    @property
    def trials(self) -> int:
        """Learning trials of the whole experiment."""
        session = sum(block.trials for block in self.blocks) * len(self.rules)
        geometry = self.geometry * len(PROBABILITIES) * len(LATENCIES) * _GEOMETRY_TRIALS
        return len(self.seeds) * (session + self.sweep * len(LEVELS) + geometry)


def run_experiment(
    experiment: Experiment, folder: Path | None = None, on_trials: Callable[[int], Any] | None = None
) -> dict[str, Any]:
    """Runs what has not been run yet.

    Args:
        experiment: what to run.
        folder: where each part is kept when it is finished, and looked for before it is run; None keeps nothing.
        on_trials: called with the number of trials done, for a progress bar.

    Returns:
        ``sessions``: rule -> list over seeds; ``sweeps`` and ``geometry``: lists over seeds. Plain data, for JSON.
    """
    done = on_trials or (lambda _: None)
    found: dict[str, Any] = {"sessions": {rule: [] for rule in experiment.rules}, "sweeps": [], "geometry": []}
    for seed in experiment.seeds:
        parts = _Parts(experiment, seed, folder, done)
        for rule in experiment.rules:
            found["sessions"][rule].append(parts.get(f"session_{rule}", parts.session(rule)))
        if experiment.sweep:
            found["sweeps"].append(parts.get("sweep", parts.sweep))
        if experiment.geometry:
            found["geometry"].append(parts.get("geometry", parts.geometry))
    return found


class _Parts:
    """The parts of one seed; its reservoir is built when a part needs it."""

    def __init__(self, experiment: Experiment, seed: int, folder: Path | None, done: Callable[[int], Any]):
        self._experiment, self._seed, self._folder, self._done = experiment, seed, folder, done
        self._reservoir: Reservoir | None = None

    def get(self, name: str, run: Callable[[], tuple[dict[str, Any], int]]) -> dict[str, Any]:
        """A part from its file, where that was made with the same numbers, else run now."""
        given = self._given(name)
        path = self._folder / f"{name}_seed{self._seed}.json" if self._folder is not None else None
        kept = _read(path) if path is not None else None
        if kept is not None and kept.get("given") == given:
            self._done(int(kept["trials"]))
            return dict(kept["found"])
        found, trials = run()
        if path is not None:
            write_json_atomically(path, {"given": given, "trials": trials, "found": found})
        return found

    def session(self, rule: str) -> Callable[[], tuple[dict[str, Any], int]]:
        """Runs a session of one rule."""

        def run() -> tuple[dict[str, Any], int]:
            each = self._experiment
            result = run_session(
                rule, self._build(), each.blocks, each.task, each.learning, on_trial=lambda: self._done(1)
            )
            found = {
                "seed": self._seed,
                "trials": result.trials,
                "blocks": result.blocks,
                "errors": result.errors,
                "at_end": result.at_end(),
                "rate": result.rate,
                "predictions": [np.round(one, 4).tolist() for one in result.predictions],
                "truths": [np.round(one, 4).tolist() for one in result.truths],
            }
            return found, sum(block.trials for block in each.blocks)

        return run

    def sweep(self) -> tuple[dict[str, Any], int]:
        """Runs the probability sweep."""
        each = self._experiment
        result = probability_sweep(
            self._build(), trials=each.sweep, task=each.task, learning=each.learning, on_trial=lambda: self._done(1)
        )
        found = {
            "seed": self._seed,
            "probabilities": result.probabilities.tolist(),
            "amplitudes": result.amplitudes.tolist(),
            "shares": result.shares.tolist(),
            "correlations": list(result.correlations()),
        }
        return found, each.sweep * len(LEVELS)

    def geometry(self) -> tuple[dict[str, Any], int]:
        """Compares readouts."""
        each = self._experiment
        result = readout_geometry(
            self._build(),
            trials=_GEOMETRY_TRIALS,
            task=each.task,
            learning=each.learning,
            on_trial=lambda: self._done(1),
        )
        found = {"seed": self._seed, **{name: _plain(value) for name, value in vars(result).items()}}
        return found, len(PROBABILITIES) * len(LATENCIES) * _GEOMETRY_TRIALS

    def _build(self) -> Reservoir:
        if self._reservoir is None:
            parameters = replace(self._experiment.reservoir, seed=self._seed)
            self._reservoir = Reservoir.build(parameters, self._experiment.task)
        return self._reservoir

    def _given(self, name: str) -> dict[str, Any]:
        """Everything that decides a part, as JSON would give it back."""
        each = self._experiment
        given: dict[str, Any] = {
            "form": _FORM,
            "part": name,
            "reservoir": asdict(replace(each.reservoir, seed=self._seed)),
            "task": asdict(each.task),
            "learning": asdict(each.learning),
        }
        if name.startswith("session"):
            given["blocks"] = [asdict(block) for block in each.blocks]
        if name == "sweep":
            given["trials"] = each.sweep
        plain: dict[str, Any] = json.loads(json.dumps(given))
        return plain


def _read(path: Path) -> dict[str, Any] | None:
    """A part that was kept; None if there is none, or what is there is no such file."""
    try:
        kept = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) and {"given", "trials", "found"} <= kept.keys() else None


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else list(value) if isinstance(value, tuple) else value
