"""Settings of the commands that learn streams of tasks and erase classes; see ``spikelab.settings``."""

from dataclasses import dataclass, field
from typing import Literal

from spikelab.settings import Model, Optimiser, Option, Rule, Schedule, _check_device, _require

# Options of the spiking classifier of a stream, where none are given: one spike through a weight is half gone after a
# step, as in the experiments that HLOP was published with. No other model has them, so they are no default of a field.
SPIKING_OPTIONS: dict[str, Option] = {
    "hidden": [400, 400],
    "steps": 4,
    "tau_mem": 0.0014427,
    "v_threshold": 0.2,
    "reset": "subtract",
    "bias": False,
}


def _plain_optimiser() -> Optimiser:
    return Optimiser("sgd", learning_rate=0.1, weight_decay=0.0, momentum=0.0, gradient_clip=0.0)


@dataclass(frozen=True)
class Continual:
    """Learn a stream of tasks one after the other, and measure what is forgotten."""

    folder: str = "runs/continual"
    """Folder for checkpoints, figures and pictures; complete seeds in it are not repeated, stopped ones go on."""
    method: str = "hlop"
    """Registered method against forgetting; `spikelab info` lists them."""
    method_options: dict[str, Option] = field(default_factory=dict)
    """Options of the method, one at a time: --method_options.samples 200."""
    stream: str = "permuted"
    """Registered stream of tasks: permuted, split, several."""
    stream_options: dict[str, Option] = field(default_factory=dict)
    """Options of the stream, one at a time: --stream_options.tasks 10."""
    scenario: str = "domain"
    """task: a head for each task; domain: one head for all; class: one head for the classes of all tasks."""
    model: Model = field(default_factory=lambda: Model("spiking_classifier"))
    """The model; its classes and the size of pictures follow from the stream. Here spiking_classifier has two hidden
    layers of 400 neurons, 4 steps, tau_mem 0.0014427, v_threshold 0.2, reset subtract and no bias, if not given."""
    rule: Rule = field(default_factory=Rule)
    """The learning rule, beside which the method works."""
    optimiser: Optimiser = field(default_factory=_plain_optimiser)
    """The optimiser; each task starts with a fresh one."""
    schedule: Schedule = field(default_factory=lambda: Schedule("constant", warmup_epochs=0.0))
    """The learning-rate schedule of each task."""
    epochs: int = 3
    """Passes over each task."""
    batch_size: int = 64
    """Samples per step."""
    seeds: list[int] = field(default_factory=lambda: [0])
    """One run for each: of the weights, of the stream and of the order of samples."""
    device: str = "auto"
    """auto takes a GPU where there is one; or cpu, cuda, cuda:N, mps."""
    threads: int = 0
    """CPU threads; 0 leaves the choice to torch. Bit-exact resuming needs the same number."""
    json: str | None = None
    """Write the figures to this file."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "must be at least 1")
        known = ("task", "domain", "class")
        _require(self.scenario in known, "scenario", self.scenario, f"use one of {', '.join(known)}")
        _require(len(self.seeds) > 0, "seeds", self.seeds, "give at least one")
        good = len(set(self.seeds)) == len(self.seeds) and all(0 <= seed < 2**32 for seed in self.seeds)
        _require(good, "seeds", self.seeds, "each seed once, from 0 to 4294967295")
        _require(self.threads >= 0, "threads", self.threads, "use 0 (torch's choice) or more")
        _require(bool(self.folder), "folder", self.folder, "name the folder of the runs")
        _check_device(self.device)


@dataclass(frozen=True)
class Erase:
    """Erase classes from a trained classifier's readout, and measure what is forgotten and what comes back."""

    run: str
    """Folder of the run."""
    classes: list[str] = field(default_factory=list)
    """Classes by name or number, erased one after the other; --class K for one. None takes each alone, in turn."""
    form: Literal["literal", "centred", "oblique"] = "oblique"
    """Form of the eraser whose weights are kept; the report shows all of them."""
    forget_strength: float = 1.0
    """Strength a of the literal and centred forms on what is forgotten."""
    retain_strength: float = 1.0
    """Strength a of what is retained; the larger, the less is erased."""
    whole: bool = False
    """Literal and centred forms see all samples of a class, not its mean."""
    samples: int = 3000
    """Training samples to see the classes by."""
    relearn_samples: int = 100
    """Samples of the attack that tries to bring the classes back; 0 leaves it out."""
    relearn_steps: int = 50
    """Its steps."""
    relearn_rate: float = 0.1
    """Its learning rate (plain gradient descent on all weights)."""
    split: str = "test"
    """Part of the data set that is reported."""
    checkpoint: Literal["best", "last"] = "best"
    """Which checkpoint of the run."""
    folder: str | None = None
    """Where the edited run and the pictures go; none takes RUN/erased."""
    seed: int = 0
    """Of the choice of samples and of the attack."""
    device: str = "auto"
    """auto takes a GPU where there is one; or cpu, cuda, cuda:N, mps."""
    threads: int = 0
    """CPU threads; 0 leaves the choice to torch."""
    json: str | None = None
    """Write the figures to this file."""

    def __post_init__(self) -> None:
        for name in ("forget_strength", "retain_strength", "relearn_rate"):
            _require(getattr(self, name) > 0, name, getattr(self, name), "must be above 0")
        for name in ("samples", "relearn_steps"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "must be at least 1")
        _require(self.relearn_samples >= 0, "relearn_samples", self.relearn_samples, "use 0 (no attack) or more")
        _require(0 <= self.seed < 2**32, "seed", self.seed, "use a whole number from 0 to 4294967295")
        _require(self.threads >= 0, "threads", self.threads, "use 0 (torch's choice) or more")
        _check_device(self.device)
