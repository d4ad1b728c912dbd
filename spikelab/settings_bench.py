"""Settings of the benchmarks that need a checkout; see ``spikelab.settings``."""

from dataclasses import dataclass, field

from spikelab.settings import _require


@dataclass(frozen=True)
class BenchTrain:
    """Measure training speed and memory beside other frameworks; needs a checkout, see benchmarks/."""

    cases: list[str] = field(default_factory=list)
    """Which cases; none runs all."""
    peers: list[str] = field(default_factory=list)
    """Which frameworks to compare with; none takes all."""
    threads: list[int] = field(default_factory=lambda: [1, 2])
    """Numbers of CPU threads, each measured in processes of its own."""
    rounds: int = 11
    """How often every framework has its turn."""
    memory: bool = True
    """Also measure peak memory, each in a fresh process."""
    quick: bool = False
    """A first look: few cases and rounds, no memory."""
    install: bool = False
    """Make the frameworks' environments first, where they are missing (downloads)."""
    json: str | None = None
    """Write one row per case, thread count and framework to this file, after each case; and the same as CSV."""
    resume: bool = False
    """Keep what the JSON file holds: measure the cases that it lacks, or those given (again)."""

    def __post_init__(self) -> None:
        good = bool(self.threads) and min(self.threads) >= 1
        _require(good, "threads", self.threads, "give numbers of at least 1, such as 1 or [1,2]")
        _require(self.rounds >= 1, "rounds", self.rounds, "must be at least 1")


@dataclass(frozen=True)
class _Part:
    rounds: int = 9
    """How often everyone has a turn."""
    json: str | None = None
    """Write the report to this file; tables, where there are any, go beside it as Markdown."""

    def __post_init__(self) -> None:
        _require(self.rounds >= 1, "rounds", self.rounds, "must be at least 1")


@dataclass(frozen=True)
class _BesideOthers(_Part):
    install: bool = False
    """Make missing environments of other programs first (downloads)."""


@dataclass(frozen=True)
class BenchSimulation(_BesideOthers):
    """Measure recurrent networks beside NEST, Brian2 and GeNN; needs a checkout, see benchmarks/."""


@dataclass(frozen=True)
class BenchEvents(_BesideOthers):
    """Measure event representations and readers beside tonic; needs a checkout, see benchmarks/."""


@dataclass(frozen=True)
class BenchHardware(_BesideOthers):
    """Measure the integer simulator beside Lava (Python 3.10); needs a checkout, see benchmarks/."""


@dataclass(frozen=True)
class BenchProducts(_Part):
    """Measure sparse products with spikes beside dense ones; needs a checkout, see benchmarks/."""

    quick: bool = False
    """A first look: one layer of each kind at two densities."""
    device: str = "cpu"
    """cpu, or cuda for a GPU."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(self.device in ("cpu", "cuda"), "device", self.device, "must be cpu or cuda")
