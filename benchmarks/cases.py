"""What is measured: layers and networks, their inputs and their weights, the same numbers for every framework.

All neurons are leaky integrate-and-fire with one dynamics: v keeps 0.9 of itself each step and gains the input, a spike
where v passes 1 takes 1 away, and the arctan surrogate of sharpness 2 stands in for the derivative where the framework
has it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

#: Fraction of the membrane that stays after a step, and the potential at which a neuron spikes.
KEEP = 0.9
THRESHOLD = 1.0
#: Sharpness of the arctan surrogate.
ALPHA = 2.0
CLASSES = 10
#: Of the event camera that recorded N-MNIST.
SENSOR = (2, 34, 34)

LAYERS = ("lif", "linear_lif", "convolutional")
#: Built by spikelab's own code everywhere, so that the same seed gives the same weights.
MODELS = ("halsie", "video")
KINDS = (*LAYERS, *MODELS)
#: Height and width of the scenes that HALSIE segments and of the videos, and the classes of a scene.
SCENE = (96, 160)
SCENE_CLASSES = 6


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    Attributes:
        kind: "lif" (one layer, with the gradient of its input), "linear_lif" (a dense layer into neurons, with the
            gradients of its weights), "convolutional" (a small network with a loss on top), "halsie" (the
            segmentation model of both events and frames, with its loss) or "video" (the model of compressed video).
        steps: length of the sequence T.
        batch: sequences in a batch B.
        neurons: neurons in the layer N; 0 for the networks, whose sizes are fixed.
        backward: whether the backward pass is measured too.
        autocast: run the forward pass under CPU autocast to bfloat16. Outputs are checked without it.
        density: share of a dense layer's inputs that spike (0: inputs from a normal distribution), or of a
            convolution's pixels with events (0: bars that cross the sensor, 2 %).
        seed: of inputs and weights.
    """

    kind: str
    steps: int
    batch: int = 16
    neurons: int = 0
    backward: bool = True
    autocast: bool = False
    density: float = 0.0
    seed: int = 7

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"case: unknown kind {self.kind!r}; known are {', '.join(KINDS)}")
        if min(self.steps, self.batch) < 1 or self.neurons < (0 if self.has_loss else 1):
            raise ValueError(f"case: steps, batch and neurons must be positive: {self}")
        if not 0 <= self.density <= 1 or (self.density and self.kind not in ("linear_lif", "convolutional")):
            raise ValueError(f"case: density is a share of the inputs of a dense layer or a convolution: {self}")

    @property
    def name(self) -> str:
        """Unique in a run, as in ``lif_T100_N512``."""
        size = f"_N{self.neurons}" if self.neurons else ""
        precision = "_bfloat16" if self.autocast else ""
        density = f"_{100 * self.density:g}percent" if self.density else ""
        return f"{self.kind}_T{self.steps}{size}{density}{precision}" + ("" if self.backward else "_forward")

    @property
    def has_loss(self) -> bool:
        """Whether a loss follows, rather than a given gradient of the output."""
        return self.kind in ("convolutional", "halsie", "video")

    @property
    def input_gradient(self) -> bool:
        """Whether the input needs a gradient: a lone layer stands for one in the middle of a network."""
        return self.backward and self.kind == "lif"

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


_TRAINING = (
    Case("lif", 100, neurons=512),
    Case("lif", 500, neurons=512),
    Case("lif", 100, neurons=4096),
    Case("lif", 500, neurons=4096),
    *(Case("linear_lif", 100, neurons=n, density=d) for n in (512, 2048) for d in (0.02, 0.05, 0.1)),
    Case("convolutional", 20),
    Case("convolutional", 20, density=0.05),
    Case("halsie", 5, batch=8),
    Case("halsie", 5, batch=8, autocast=True),
    Case("video", 11, batch=8),
)
CASES = {case.name: case for case in (*_TRAINING, *(replace(case, backward=False) for case in _TRAINING))}
#: A first look in about a minute.
QUICK = ("lif_T100_N512", "linear_lif_T100_N512_5percent", "convolutional_T20", "lif_T100_N512_forward")


def select(choice: Iterable[str | Case]) -> list[Case]:
    """The cases of these names (a case stands for itself), in this order; all of them for no name.

    Raises:
        ValueError: for an unknown name.
    """
    chosen = list(choice) or list(CASES)
    unknown = [name for name in chosen if isinstance(name, str) and name not in CASES]
    if unknown:
        raise ValueError(f"unknown case {', '.join(unknown)}; known are {', '.join(CASES)}")
    return [CASES[name] if isinstance(name, str) else name for name in chosen]


def make_input(case: Case) -> np.ndarray:
    """Input [T, B, ...], float32: currents for neurons, spikes for a dense layer, events for the network."""
    random = np.random.default_rng(case.seed)
    if case.kind == "convolutional" and case.density:
        return moving_bars(case.steps, case.batch, random, *SENSOR[1:], _noise_for(case.density))
    if case.kind == "convolutional":
        return moving_bars(case.steps, case.batch, random, *SENSOR[1:])
    if case.kind == "halsie":
        return moving_bars(case.steps, case.batch, random, *SCENE)
    if case.kind == "video":
        return moving_blocks(case.steps, case.batch, random, *SCENE)
    shape = (case.steps, case.batch, case.neurons)
    if case.kind == "linear_lif":
        if not case.density:
            return random.standard_normal(shape, dtype=np.float32)
        # what a layer inside a spiking network gets
        return (random.random(shape, dtype=np.float32) < case.density).astype(np.float32)
    return 0.1 + 0.5 * random.standard_normal(shape, dtype=np.float32)


def make_output_gradient(case: Case) -> np.ndarray:
    """The gradient that reaches the output [T, B, N] of a layer, float32."""
    random = np.random.default_rng(case.seed + 1)
    return random.standard_normal((case.steps, case.batch, case.neurons), dtype=np.float32)


def make_labels(case: Case) -> np.ndarray:
    """A class for each sequence [B], or for each pixel [B, H, W] of a scene, int64."""
    random = np.random.default_rng(case.seed + 2)
    if case.kind == "halsie":
        return random.integers(0, SCENE_CLASSES, (case.batch, *SCENE))
    return random.integers(0, CLASSES, case.batch)


def make_frames(case: Case) -> np.ndarray:
    """Frames [B, C, H, W] in 0 to 1, float32: grey ones that go with a scene's events, I-frames of a video."""
    channels = 3 if case.kind == "video" else 1
    return np.random.default_rng(case.seed + 4).random((case.batch, channels, *SCENE), dtype=np.float32)


def make_weights(case: Case, shapes: Iterable[tuple[int, ...]]) -> list[np.ndarray]:
    """Weights and biases of the given shapes, float32, so large that about a tenth of the neuron-steps spike."""
    random = np.random.default_rng(case.seed + 3)
    weights = []
    for shape in shapes:
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 1
        if len(shape) == 1:
            weights.append(np.full(shape, 0.05, np.float32))
        elif len(shape) == 4 and shape[1] == SENSOR[0]:
            # few pixels of the sensor are active at a time
            weights.append(random.normal(0.1, 3.0 / fan_in**0.5, shape).astype(np.float32))
        else:
            weights.append(random.normal(0.05 * 10 / fan_in, 1.5 / fan_in**0.5, shape).astype(np.float32))
    return weights


def _noise_for(density: float) -> float:
    """Events a pixel and step beside those of a bar, so that so many pixels have any: a bar alone brings 1.7 %."""
    if density <= 0.017:
        raise ValueError(f"case: bars alone reach a density of 0.017, so it cannot be {density}")
    return -math.log(1 - (density - 0.017) / (1 - 0.017))


def moving_bars(
    steps: int, batch: int, random: np.random.Generator, height: int, width: int, noise: float = 0.002
) -> np.ndarray:
    """Event counts [T, B, 2, H, W] of bright bars that cross a sensor, over background noise.

    A bar's front edge makes ON events (channel 1) and its back edge OFF events (channel 0), as on an event camera.
    """
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    angle = random.uniform(0, 2 * np.pi, batch)[:, None, None]
    along = np.cos(angle) * (columns - width / 2) + np.sin(angle) * (rows - height / 2)
    across = np.sin(angle) * (columns - width / 2) - np.cos(angle) * (rows - height / 2)
    front = np.linspace(-height / 2, height / 2 + 4, steps)[:, None, None, None]
    inside = np.abs(across) < 0.3 * height
    rate = np.full((steps, batch, 2, height, width), noise, np.float32)
    rate[:, :, 1] += 0.8 * inside * np.exp(-((along - front) ** 2))
    rate[:, :, 0] += 0.8 * inside * np.exp(-((along - front + 5) ** 2))
    return random.poisson(rate).astype(np.float32)


def moving_blocks(steps: int, batch: int, random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """P-frames [T, B, 3, H, W]: motion vectors (x, y) in pixels and a residual in -1 to 1, of a thing that moves.

    As in a coded video, vectors belong to blocks of 8 pixels and are zero where nothing moves, and residuals lie at the
    edges of what moves and, here and there, elsewhere.
    """
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    centre = random.uniform(0.3, 0.7, (batch, 2)) * (height, width)
    velocity = random.uniform(-4, 4, (batch, 2))
    time = np.arange(1, steps + 1, dtype=np.float32)[:, None, None]
    place = (centre + velocity * time)[..., None, None]
    distance = np.hypot(rows - place[:, :, 0], columns - place[:, :, 1])
    moves = distance[:, :, 4::8, 4::8].repeat(8, 2).repeat(8, 3) < 0.25 * height
    out = np.zeros((steps, batch, 3, height, width), np.float32)
    out[:, :, 0] = moves * velocity[:, 1, None, None]
    out[:, :, 1] = moves * velocity[:, 0, None, None]
    edge = (np.abs(distance - 0.25 * height) < 3) | (random.random(distance.shape) < 0.01)
    out[:, :, 2] = edge * random.uniform(-0.3, 0.3, distance.shape)
    return out
