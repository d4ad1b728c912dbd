"""All settings of all commands: one frozen dataclass per command, with the groups that several of them share first.

The docstring below a field is what `--help` prints. Values are checked when the object is made; an error names the
field, the value and the remedy. `spikelab.io.settings_file` writes them to TOML and reads them back.
"""

from dataclasses import dataclass, field
from typing import Literal

# What an option of a model or a data set may be. Never `Any`: the parser would then build any class that a file names.
Option = bool | int | float | str | list[int] | list[float] | list[str]


def _require(holds: bool, name: str, value: object, remedy: str) -> None:
    if not holds:
        raise ValueError(f"{name} = {value!r}: {remedy}")


def _check_device(device: str) -> None:
    kind = device.split(":")[0]
    _require(kind in ("auto", "cpu", "cuda", "mps"), "device", device, "use auto, cpu, cuda, cuda:N or mps")


# --- groups ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Model:
    """The model: a registered name and the options of its constructor."""

    name: str = "halsie"
    """Registered model; `spikelab info` lists them."""
    options: dict[str, Option] = field(default_factory=dict)
    """Options of the model, one at a time: --model.options.modality events."""


@dataclass(frozen=True)
class Data:
    """The data set, and how samples are put into batches."""

    name: str = "roads"
    """Registered data set; `spikelab info` lists them."""
    options: dict[str, Option] = field(default_factory=dict)
    """Options of the data set, one at a time: --data.options.flip 0.5."""
    train_split: str = "train"
    """Part of the data set to learn from."""
    validation_split: str = "validation"
    """Part of the data set that picks the best epoch; never the one you report."""
    batch_size: int = 8
    """Samples per step, over all processes together."""
    workers: int = 0
    """Processes that load samples; 0 loads them in the training process."""

    def __post_init__(self) -> None:
        _require(self.batch_size >= 1, "data.batch_size", self.batch_size, "a batch holds at least 1 sample")
        _require(self.workers >= 0, "data.workers", self.workers, "use 0 (no extra process) or more")


@dataclass(frozen=True)
class Rule:
    """The learning rule: how a batch becomes gradients, which the optimiser then applies."""

    name: str = "bptt"
    """Registered rule; `spikelab info` lists them."""
    options: dict[str, Option] = field(default_factory=dict)
    """Options of the rule, one at a time: --rule.options.basis sine."""


@dataclass(frozen=True)
class Optimiser:
    """How gradients change the parameters."""

    name: Literal["adamw", "sgd"] = "adamw"
    """AdamW, or stochastic gradient descent with Nesterov momentum."""
    learning_rate: float = 1e-3
    """Peak learning rate."""
    weight_decay: float = 1e-2
    """Applied to connection weights only: not to biases, normalisation or neuron parameters."""
    momentum: float = 0.9
    """Momentum of sgd."""
    gradient_clip: float = 1.0
    """Largest norm of the whole gradient; 0 turns clipping off."""

    def __post_init__(self) -> None:
        _require(self.learning_rate > 0, "optimiser.learning_rate", self.learning_rate, "must be positive")
        _require(self.weight_decay >= 0, "optimiser.weight_decay", self.weight_decay, "use 0 (off) or more")
        _require(0 <= self.momentum < 1, "optimiser.momentum", self.momentum, "use 0 (off) up to (not with) 1")
        _require(self.gradient_clip >= 0, "optimiser.gradient_clip", self.gradient_clip, "use 0 (off) or more")


@dataclass(frozen=True)
class Schedule:
    """How the learning rate moves over the training; one value per step."""

    name: Literal["cosine", "polynomial", "step", "constant"] = "cosine"
    """Shape after the warm-up."""
    warmup_epochs: float = 0.5
    """Epochs (fractions count) over which the rate climbs linearly to its peak."""
    final_factor: float = 0.01
    """cosine and polynomial end at this fraction of the peak."""
    power: float = 0.9
    """Exponent of polynomial."""
    step_epochs: float = 10.0
    """step multiplies the rate by step_factor each time this many epochs have passed."""
    step_factor: float = 0.1
    """Factor of step."""

    def __post_init__(self) -> None:
        _require(self.warmup_epochs >= 0, "schedule.warmup_epochs", self.warmup_epochs, "use 0 (off) or more")
        _require(0 <= self.final_factor <= 1, "schedule.final_factor", self.final_factor, "use 0 to 1")
        _require(self.power > 0, "schedule.power", self.power, "must be positive")
        _require(self.step_epochs > 0, "schedule.step_epochs", self.step_epochs, "must be positive")
        _require(0 < self.step_factor <= 1, "schedule.step_factor", self.step_factor, "use more than 0, up to 1")


@dataclass(frozen=True)
class Loss:
    """Cross-entropy, and how much each class counts in it."""

    label_smoothing: float = 0.0
    """Share of the target that is spread evenly over all classes."""
    class_weights: list[float] | None = None
    """One weight per class, in the order of the data set's class names; none counts every pixel alike."""

    def __post_init__(self) -> None:
        _require(
            0 <= self.label_smoothing < 1, "loss.label_smoothing", self.label_smoothing, "use 0 up to (not with) 1"
        )
        if self.class_weights is not None:
            good = all(weight >= 0 for weight in self.class_weights) and sum(self.class_weights) > 0
            _require(good, "loss.class_weights", self.class_weights, "weights are 0 or more, and not all 0")


@dataclass(frozen=True)
class Quantise:
    """The spiking part in whole numbers: how real weights, biases and inputs become those of a chip."""

    bits: int = 0
    """Bits of a weight, 2 to 8; 0 leaves the numbers real."""
    profile: str = "generic"
    """Registered arithmetic: generic, generic16, loihi, loihi_netx, speck, xylo."""
    scale: Literal["mse", "max", "percentile"] = "mse"
    """How the worth of a weight's last bit is chosen: least squared error, largest weight, or nearly the largest."""
    percentile: float = 99.9
    """Share of the weights that percentile does not cut, in percent."""
    per_neuron: bool = True
    """A unit of its own for each neuron or feature map, where the arithmetic has thresholds for each."""
    input_bits: int = 0
    """Bits of a real-valued input; 0 where inputs are whole already, such as spikes and counts."""
    input_low: float = 0.0
    """Smallest input."""
    input_high: float = 1.0
    """Largest input; what is above is cut where inputs are real."""

    def __post_init__(self) -> None:
        _require(self.bits == 0 or 2 <= self.bits <= 8, "quantise.bits", self.bits, "use 2 to 8, or 0 (off)")
        _require(0 < self.percentile <= 100, "quantise.percentile", self.percentile, "use more than 0, up to 100")
        _require(0 <= self.input_bits <= 16, "quantise.input_bits", self.input_bits, "use 0 (whole inputs) to 16")
        span = self.input_low <= 0 <= self.input_high
        _require(span, "quantise.input_low", (self.input_low, self.input_high), "low <= 0 <= input_high")


# --- commands -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Train:
    """Train a model, from scratch, from another run's weights, or onwards from where a run was stopped."""

    folder: str = "runs/train"
    """New folder for everything the run writes: settings, checkpoints, logs."""
    resume: str | None = None
    """Folder of a stopped run: go on with its own settings as if it had never stopped. auto: `folder`, or a new run."""
    initialise_from: str | None = None
    """Start from the best weights of another run (fine-tuning); optimiser and schedule start anew."""
    initialise_skip: list[str] = field(default_factory=list)
    """Parameters that initialise_from leaves at their random start, by the beginning of their names."""
    task: str = "segmentation"
    """Registered task: the loss and the figures."""
    model: Model = field(default_factory=Model)
    """The model."""
    data: Data = field(default_factory=Data)
    """The data set and its batches."""
    loss: Loss = field(default_factory=Loss)
    """The loss."""
    rule: Rule = field(default_factory=Rule)
    """The learning rule."""
    optimiser: Optimiser = field(default_factory=Optimiser)
    """The optimiser."""
    schedule: Schedule = field(default_factory=Schedule)
    """The learning-rate schedule."""
    quantise: Quantise = field(default_factory=Quantise)
    """Train the spiking part in the integers of a chip (quantisation-aware training)."""
    epochs: int = 20
    """Passes over the training split."""
    seed: int = 0
    """Fixes the initial weights and the order of the data."""
    patience: int = 0
    """Stop after this many validations without improvement; 0 never stops early."""
    validate_every: int = 1
    """Epochs between validations (the last epoch is always validated)."""
    checkpoint_every: int = 0
    """Steps between checkpoints within an epoch; 0 writes one per epoch."""
    log_every: int = 10
    """Steps between lines in the log."""
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    """bfloat16 runs matrix products in half precision; auto does where the device has them in hardware."""
    device: str = "auto"
    """auto takes a GPU where there is one; or cpu, cuda, cuda:N, mps."""
    threads: int = 0
    """CPU threads; 0 leaves the choice to torch. Bit-exact resuming needs the same number."""
    deterministic: bool = False
    """Insist on deterministic algorithms (matters on a GPU; may be slower, or refuse an operation)."""
    tensorboard: bool = True
    """Also log for TensorBoard, besides log.jsonl."""
    json: str | None = None
    """Write the figures to this file."""

    def __post_init__(self) -> None:
        for name in ("epochs", "validate_every", "log_every"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "must be at least 1")
        for name in ("patience", "checkpoint_every", "threads"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "use 0 (off) or more")
        _require(0 <= self.seed < 2**32, "seed", self.seed, "use a whole number from 0 to 4294967295")
        _require(bool(self.folder), "folder", self.folder, "name the folder of the run")
        _check_device(self.device)


@dataclass(frozen=True)
class EvaluationData:
    """The data to evaluate on; what is not given is taken from the run."""

    name: str | None = None
    """Registered data set; none takes the run's own."""
    split: str = "test"
    """Part of the data set."""
    options: dict[str, Option] = field(default_factory=dict)
    """Options of the data set, laid over the run's own."""
    batch_size: int = 8
    """Samples per forward pass."""
    workers: int = 0
    """Processes that load samples; 0 loads them in this process."""

    def __post_init__(self) -> None:
        _require(self.batch_size >= 1, "data.batch_size", self.batch_size, "a batch holds at least 1 sample")
        _require(self.workers >= 0, "data.workers", self.workers, "use 0 (no extra process) or more")


@dataclass(frozen=True)
class Evaluate:
    """Print how well a trained model does: IoU and pixel accuracy, also per condition; or accuracy and confusions."""

    run: str
    """Folder of the run."""
    checkpoint: Literal["best", "last"] = "best"
    """Which checkpoint of the run."""
    data: EvaluationData = field(default_factory=EvaluationData)
    """The data to evaluate on."""
    energy_batches: int = 1
    """Batches over which operations and energy are counted, where the model can; 0 leaves it out."""
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    """Arithmetic of matrix products."""
    device: str = "auto"
    """auto takes a GPU where there is one; or cpu, cuda, cuda:N, mps."""
    threads: int = 0
    """CPU threads; 0 leaves the choice to torch."""
    json: str | None = None
    """Write the figures to this file."""

    def __post_init__(self) -> None:
        _require(self.energy_batches >= 0, "energy_batches", self.energy_batches, "use 0 (off) or more")
        _require(self.threads >= 0, "threads", self.threads, "use 0 (torch's choice) or more")
        _check_device(self.device)


@dataclass(frozen=True)
class Predict:
    """Write pictures of what a trained model sees: frame, events, label and prediction side by side."""

    run: str
    """Folder of the run."""
    folder: str | None = None
    """Where the pictures go; none takes RUN/predictions."""
    checkpoint: Literal["best", "last"] = "best"
    """Which checkpoint of the run."""
    data: EvaluationData = field(default_factory=EvaluationData)
    """The data to predict on."""
    indices: list[int] = field(default_factory=list)
    """Samples of the split; none takes `count` of them, evenly spaced."""
    count: int = 8
    """How many samples, where no indices are given; 0 takes all."""
    files: list[str] = field(default_factory=list)
    """Video files of your own to tell the class of, in place of samples of a data set: --files a.mp4,b.avi."""
    scale: int = 2
    """Screen pixels per pixel of the sample."""
    maps: bool = False
    """Also write each prediction as a PNG of class numbers."""
    device: str = "auto"
    """auto takes a GPU where there is one; or cpu, cuda, cuda:N, mps."""
    threads: int = 0
    """CPU threads; 0 leaves the choice to torch."""
    json: str | None = None
    """Write the figures to this file."""

    def __post_init__(self) -> None:
        _require(self.count >= 0, "count", self.count, "use 0 (all) or more")
        _require(1 <= self.scale <= 16, "scale", self.scale, "use 1 to 16")
        _require(all(index >= 0 for index in self.indices), "indices", self.indices, "samples count from 0")
        _require(self.threads >= 0, "threads", self.threads, "use 0 (torch's choice) or more")
        _check_device(self.device)


@dataclass(frozen=True)
class DataMake:
    """Generate a data set, or prepare it for fast reading, and keep it in the cache folder."""

    name: str = "roads"
    """Registered data set; `spikelab info` lists them."""
    options: dict[str, Option] = field(default_factory=dict)
    """Options of the data set, one at a time: --options.seed 7."""
    splits: list[str] = field(default_factory=lambda: ["train", "validation", "test"])
    """Which splits."""
    workers: int = 0
    """Processes that make the samples; 0 leaves the choice to the data set, mostly all cores."""
    json: str | None = None
    """Write the figures to this file."""

    def __post_init__(self) -> None:
        _require(self.workers >= 0, "workers", self.workers, "use 0 (the data set's choice) or more")


@dataclass(frozen=True)
class DataCheck(DataMake):
    """Read a data set or a FOLDER, report sizes, classes and all that is wrong; ends with 1 where anything is.

    `spikelab data check FOLDER` finds out which data set a folder holds.
    """

    picture: str | None = None
    """Draw whether events, frame and label of a sample fit each other, into this .png file."""


@dataclass(frozen=True)
class Info:
    """Show versions, back ends, devices, threads, cache folders and all registered names; or what stands behind one."""

    about: str | None = None
    """Name of a model, data set, learning rule, method, ...: shows its options, their defaults and what they mean."""
    json: str | None = None
    """Write the same to this file."""


@dataclass(frozen=True)
class Compare:
    """Train on both inputs, events only and frames only with the same budget, and put the results side by side."""

    folder: str = "runs/compare"
    """Folder for the runs, the table, the pictures and the export; complete runs in it are not repeated."""
    seeds: list[int] = field(default_factory=lambda: [0])
    """One training of each kind for each seed."""
    initialise_from: str | None = None
    """Folder of another comparison: each training starts from its counterpart there (fine-tuning)."""
    split: str = "test"
    """Part of the data set that is reported."""
    train: Train = field(default_factory=Train)
    """The training, the same for all; its folder, seed and modality are set by the comparison."""
    json: str | None = None
    """Write the figures to this file."""

    def __post_init__(self) -> None:
        _require(len(self.seeds) > 0, "seeds", self.seeds, "give at least one")
        _require(len(set(self.seeds)) == len(self.seeds), "seeds", self.seeds, "each seed once")
