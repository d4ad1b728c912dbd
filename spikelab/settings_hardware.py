"""Settings of the commands that take a network to hardware; see ``spikelab.settings``."""

from dataclasses import dataclass, field
from typing import Literal

from spikelab.settings import Option, _require


@dataclass(frozen=True)
class Deployment:
    """What is deployed, where to, and how its numbers become whole ones."""

    run: str
    """Folder of a trained run, or a NIR file."""
    target: str | None = None
    """Chip or board: loihi1, loihi2, speck, xylo_audio2, cortex_m4_nrf52840, ... or a TOML file of your own."""
    profile: str | None = None
    """Arithmetic: generic, generic16, loihi, loihi_netx, speck, xylo; none takes the run's, or the target's."""
    bits: int | None = None
    """Bits of a weight, 2 to 8; none takes the run's where it was trained in integers, else 8."""
    scale: Literal["mse", "max", "percentile"] = "mse"
    """How the worth of a weight's last bit is chosen: least squared error, largest weight, or nearly the largest."""
    percentile: float = 99.9
    """Share of the weights that percentile does not cut, in percent."""
    per_neuron: bool = True
    """A unit of its own for each neuron or feature map, where the arithmetic has thresholds for each."""
    input_bits: int = 0
    """Bits of a real-valued input; 0 where inputs are whole already, and where the model says what its inputs are."""
    input_low: float = 0.0
    """Smallest input."""
    input_high: float = 1.0
    """Largest input; what is above is cut where inputs are real."""
    calibrate: bool = False
    """Let the samples tell how far membranes of readouts reach; else room is made for the worst that could arrive."""
    dt: float | None = None
    """Length of a time step in seconds, for a NIR file that does not say."""
    reset: Literal["value", "subtract"] = "value"
    """What a spike does to the membrane, for a NIR file that does not say."""
    input_form: Literal["current", "impulse"] | None = None
    """Whether a NIR file's input lasts for a step or is delivered at once; none takes the file's own, else current."""
    method: Literal["exact", "exponential_euler", "euler", "semi_implicit_euler"] | None = None
    """Discretisation of a NIR file's neurons; none takes the file's own, else each neuron's default."""
    checkpoint: Literal["best", "last"] = "best"
    """Which checkpoint of the run."""
    split: str = "test"
    """Part of the run's data set that tells how well the integers do."""
    data_options: dict[str, Option] = field(default_factory=dict)
    """Options of the data set, laid over the run's own."""
    samples: int = 64
    """Samples over which layers are compared and operations counted."""
    steps: int = 100
    """Time steps of the random input, for a NIR file."""
    input_rate: float = 0.1
    """Spikes per step and element of the random input, for a NIR file."""
    json: str | None = None
    """Write the figures to this file."""

    def __post_init__(self) -> None:
        _require(self.bits is None or 2 <= self.bits <= 8, "bits", self.bits, "use 2 to 8")
        _require(self.dt is None or self.dt > 0, "dt", self.dt, "give a positive time in seconds")
        _require(self.samples >= 1, "samples", self.samples, "use at least 1")
        _require(self.steps >= 1, "steps", self.steps, "use at least 1")
        _require(0 <= self.input_rate <= 1, "input_rate", self.input_rate, "use 0 to 1")


@dataclass(frozen=True)
class Export(Deployment):
    """Write a network for other tools or for hardware, with proof that it computes what was simulated."""

    folder: str | None = None
    """Where the files go (--out is the same); none takes RUN/export."""
    format: Literal["nir", "c99", "netx", "npz", "bundle"] = "nir"
    """nir: for other simulators. c99: firmware. netx: Lava and Loihi. npz: plain arrays. bundle: all that fit."""
    nir_form: Literal["continuous", "euler", "portable"] = "euler"
    """NIR: parameters as they are, so that forward Euler makes the same steps, or the form most readers agree on."""
    subtractive_reset: Literal["refuse", "metadata"] = "refuse"
    """NIR: what to do with a reset that NIR does not have; metadata notes it for readers that look there."""
    legacy: bool = False
    """NIR: write the older form that sinabs and rockpool read."""
    vectors: int | None = None
    """Samples that are written as test vectors, at most as many as samples; none takes two."""
    height: int = 0
    """Height of the inputs in pixels; 0 takes that of the training samples."""
    width: int = 0
    """Width of the inputs in pixels; 0 takes that of the training samples."""

    def __post_init__(self) -> None:
        super().__post_init__()
        good = self.vectors is None or 1 <= self.vectors <= self.samples
        _require(good, "vectors", self.vectors, f"use at least 1, and at most as many as samples ({self.samples})")
        asked = [name for name in ("target", "bits", "profile") if getattr(self, name) is not None]
        plain = self.format != "nir" or not asked
        _require(
            plain, "format", self.format, f"NIR holds real numbers; leave out {' and '.join(asked)}, or add --format"
        )
        _require(self.height >= 0, "height", self.height, "use 0 (as in training) or more")
        _require(self.width >= 0, "width", self.width, "use 0 (as in training) or more")


@dataclass(frozen=True)
class Verify:
    """Run what was exported, and compare every state at every step with the simulator."""

    run: str
    """Folder that spikelab export wrote."""
    compiler: str = "gcc"
    """C compiler."""
    json: str | None = None
    """Write the figures to this file."""


@dataclass(frozen=True)
class Map(Deployment):
    """Lay a network on the cores of a chip: does it fit, where does each layer go, and what would help."""

    folder: str | None = None
    """Where the report and the picture go; none takes RUN/map-TARGET."""


@dataclass(frozen=True)
class QuantiseRun(Deployment):
    """Show what fewer bits cost: accuracy, equal spikes, rates, silent and saturated neurons of each layer."""

    widths: list[int] = field(default_factory=lambda: [8, 4, 3, 2])
    """Bits of a weight, one column each."""
    folder: str | None = None
    """Where the report goes; none takes RUN/quantise-PROFILE."""
    batch_size: int = 64
    """Samples per forward pass."""

    def __post_init__(self) -> None:
        super().__post_init__()
        good = bool(self.widths) and all(2 <= bits <= 8 for bits in self.widths)
        _require(good, "widths", self.widths, "give numbers of 2 to 8, such as 8,4,2")
        _require(self.batch_size >= 1, "batch_size", self.batch_size, "use at least 1")
