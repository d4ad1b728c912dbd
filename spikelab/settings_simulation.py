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
    """Biological time, such as "2 s"; none takes the file's own, else one second."""
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
    """Where the report with its pictures and the recorded spikes go; none takes runs/NAME."""
    report: bool = True
    """Whether to draw the pictures."""
    checkpoint: str | None = None
    """Continue from this file if it is there, and write the state to it at the end or when interrupted."""
    json: str | None = None
    """Write the figures to this file."""

    def __post_init__(self) -> None:
        _require(self.threads >= 0, "threads", self.threads, "use 0 (as many as pay) or more")
        _require(self.seed is None or self.seed >= 0, "seed", self.seed, "use 0 or more")
