"""Settings of the command that compares learning rules; see ``spikelab.settings``."""

from dataclasses import dataclass, field

from spikelab.settings import Optimiser, Option, Schedule, _check_device, _require


@dataclass(frozen=True)
class Learn:
    """Train a model with a learning rule, over several seeds, beside backpropagation and frozen features."""

    folder: str = "runs/learn"
    """Folder for the runs, the table and the curves; complete runs in it are not repeated, stopped ones go on. Given
    again, everything but seeds and compare must be as before."""
    rule: str = "lls"
    """Registered learning rule; `spikelab info` lists them."""
    rule_options: dict[str, Option] = field(default_factory=dict)
    """Options of the rule, one at a time: --rule_options.basis sine."""
    compare: list[str] = field(default_factory=lambda: ["bptt", "frozen"])
    """Rules to train beside it, with their default options: --compare bptt,frozen; [] for none."""
    data: str = "fashion_mnist"
    """Registered data set of pictures with one class each."""
    data_options: dict[str, Option] = field(default_factory=dict)
    """Options of the data set, one at a time: --data_options.shift 2."""
    model: str = "convolutional_classifier"
    """Registered model."""
    model_options: dict[str, Option] = field(default_factory=dict)
    """Options of the model, one at a time: --model_options.reduce 2."""
    seeds: list[int] = field(default_factory=lambda: [0])
    """One training of each rule for each seed: --seeds 0,1,2."""
    epochs: int = 10
    """Passes over the training split."""
    batch_size: int = 128
    """Samples per step."""
    optimiser: Optimiser = field(
        default_factory=lambda: Optimiser(learning_rate=5e-3, weight_decay=0.0, gradient_clip=0.0)
    )
    """The optimiser, the same for all rules."""
    schedule: Schedule = field(default_factory=lambda: Schedule(warmup_epochs=0.0, final_factor=0.0))
    """The learning-rate schedule, the same for all rules."""
    split: str = "test"
    """Part of the data set that is reported, with the weights after the last step."""
    device: str = "auto"
    """auto takes a GPU where there is one; or cpu, cuda, cuda:N, mps."""
    threads: int = 0
    """CPU threads; 0 leaves the choice to torch."""
    json: str | None = None
    """Write the figures to this file."""

    def __post_init__(self) -> None:
        _require(len(self.seeds) > 0, "seeds", self.seeds, "give at least one")
        _require(len(set(self.seeds)) == len(self.seeds), "seeds", self.seeds, "each seed once")
        _require(len(set(self.compare)) == len(self.compare), "compare", self.compare, "each rule once")
        _require(self.epochs >= 1, "epochs", self.epochs, "must be at least 1")
        _require(self.batch_size >= 1, "batch_size", self.batch_size, "a batch holds at least 1 sample")
        _require(self.threads >= 0, "threads", self.threads, "use 0 (torch's choice) or more")
        _check_device(self.device)
