"""Settings of the command that simulates a network; see ``spikelab.settings``."""

from dataclasses import dataclass, field
from typing import Literal

from spikelab.settings import Option, _require


@dataclass(frozen=True)
class Simulate:
    """Simulate a network: a TOML file, or an example by name."""

    run: str
    """TOML file of a network, or an example: vogels_abbott, brunel, izhikevich_2003, microcircuit."""
    duration: str | None = None
    """Biological time, such as "2 s"; none takes the file's own, else one second. What a checkpoint has run counts."""
    options: dict[str, Option] = field(default_factory=dict)
    """Arguments of an example, one at a time: --options.neurons 10000 --options.plastic true."""
    seed: int | None = None
    """Of everything that is random; none takes the file's own, else 0."""
    dtype: Literal["float32", "float64"] | None = None
    """Precision; none takes the file's own, else float64."""
    engine: str = "numba"
    """Who runs it: numba, nest, event_driven."""
    threads: int = 0
    """Threads; 0 takes as many as pay. Results do not depend on it."""
    folder: str | None = None
    """Where the report with its pictures goes; none takes runs/NAME."""
    report: bool = True
    """Whether to draw the pictures."""
    record: str | None = None
    """Stream all spikes to this HDF5 file; a run that goes on from a checkpoint goes on in it."""
    checkpoint: str | None = None
    """Continue from this file if it is there, and write the state to it at the end or when interrupted."""
    json: str | None = None
    """Write the figures to this file."""

    def __post_init__(self) -> None:
        _require(self.threads >= 0, "threads", self.threads, "use 0 (as many as pay) or more")
        _require(self.seed is None or self.seed >= 0, "seed", self.seed, "use 0 or more")


@dataclass(frozen=True)
class WhatWhen:
    """Learn what comes after a cue, and when: two readouts of a spiking reservoir, beside FORCE."""

    neurons: int = 300
    """Neurons of the reservoir; 1000 in the paper."""
    rules: list[str] = field(default_factory=lambda: ["three_factor", "force", "force_merged", "force_reset"])
    """How timing is learned: three_factor, two_factor, force, force_merged, force_gated, force_reset,
    force_merged_reset."""
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2, 3, 4])
    """Each a network, noise and events of its own."""
    schedule: Literal["probability_first", "timing_first"] = "probability_first"
    """Order of the switches: probability, timing, both; or timing, probability, both."""
    trials: int = 100
    """Trials of a block."""
    fresh_noise: float = 0.2
    """Standard deviation of the noise current that differs from trial to trial."""
    background: float = 5.0
    """Standard deviation of the noise current that is the same in every trial."""
    feedback: float = 0.0
    """How strongly the timing outputs act on the reservoir; 0 leaves the loop open."""
    gate: Literal["trial", "window"] = "window"
    """Where attention lets the channel that occurred learn: after the cue, or near the event and expected ones."""
    sweep: int = 100
    """Trials at each of eleven probabilities; 0 leaves the sweep out."""
    geometry: bool = True
    """Whether to compare the readouts of twenty conditions with shuffled ones."""
    folder: str = "runs/what_and_when"
    """Where finished parts, the figures and the pictures go; parts that are there already are not run again. Given
    again, everything but seeds and rules must be as before."""
    report: bool = True
    """Whether to draw the pictures."""
    json: str | None = None
    """Write the figures to this file."""

    def __post_init__(self) -> None:
        _require(bool(self.rules), "rules", self.rules, "name at least one")
        _require(len(set(self.rules)) == len(self.rules), "rules", self.rules, "each rule once")
        _require(bool(self.seeds) and min(self.seeds) >= 0, "seeds", self.seeds, "name at least one, 0 or more")
        _require(len(set(self.seeds)) == len(self.seeds), "seeds", self.seeds, "each seed once")
        _require(self.trials >= 1, "trials", self.trials, "use 1 or more")
        _require(self.sweep >= 0, "sweep", self.sweep, "use 0 (none) or more")
