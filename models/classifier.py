"""A spiking classifier of pictures: the network that event hardware is shown first.

A picture becomes spikes, a few layers of spiking neurons see them, and a readout tells the class. All that is learned
is one ``Network`` of connections and neurons, each of which has a NIR form; encoding and decoding have no parameters
and need whole numbers, sums and comparisons only. So the network can be taken out, quantised, run elsewhere and put
back in.

Every neuron's gain is 1: a spike through a weight w moves the membrane by w, at once or (with a synaptic current)
spread over the synaptic time constant, and the threshold ``v_threshold`` is in the same unit. So initial weights and
learning rates mean the same for every kind of neuron, and for a LIF it is how integer hardware counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

from torch import Tensor, nn

from spikelab.nn import IF, LI, LIF, Conv2d, CubaLI, CubaLIF, Dense, Flatten, Network, latency_code, regular_rate_code
from spikelab.nn.part import SpikingPart


class SpikingClassifier(nn.Module):
    """Tells the class of a picture from a spiking network's answer to it.

    Args:
        hidden: widths of the fully connected hidden layers; empty for a readout right after the input.
        convolutions: channels of 3 x 3 convolutions of stride 2 before them, each with neurons; empty for none.
        neuron: "lif", "cuba_lif" (with a synaptic current) or "if" (without a leak).
        readout: "li", a leaky integrator for each class, or "spikes", a spiking neuron for each class.
        decision: how a leaky integrator is read: "max" takes each class's highest membrane potential over time, "last"
            that after the last step, "mean" the mean over time. Spikes are counted.
        code: "rate", evenly spaced spikes, as many as a pixel is bright; or "latency", one spike for each pixel that is
            not black, the earlier the brighter.
        steps: time steps T of a picture.
        dt: length of a step in seconds.
        tau_mem: membrane time constant in seconds, of hidden layers and readout ("if": of the readout alone).
        tau_syn: synaptic time constant in seconds ("cuba_lif" only).
        v_threshold: spike threshold, in units of the weights.
        reset: "zero" after a spike, or "subtract" the threshold.
        bias: give each neuron a constant input.
        surrogate: surrogate derivative.
        classes: number of classes; follows from the data.
        image_shape: channels, height and width of a picture; follows from the data.

    Raises:
        ValueError: for an unknown choice, or a size or time that makes no network.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (128,),
        convolutions: Sequence[int] = (),
        neuron: Literal["lif", "cuba_lif", "if"] = "lif",
        readout: Literal["li", "spikes"] = "li",
        decision: Literal["mean", "max", "last"] = "mean",
        code: Literal["rate", "latency"] = "rate",
        steps: int = 20,
        dt: float = 1e-3,
        tau_mem: float = 20e-3,
        tau_syn: float = 5e-3,
        v_threshold: float = 1.0,
        reset: Literal["zero", "subtract"] = "zero",
        bias: bool = True,
        surrogate: str = "arctan",
        classes: int = 10,
        image_shape: Sequence[int] = (1, 28, 28),
    ):
        super().__init__()
        choices = {
            "neuron": (neuron, ("lif", "cuba_lif", "if")),
            "readout": (readout, ("li", "spikes")),
            "decision": (decision, ("mean", "max", "last")),
            "code": (code, ("rate", "latency")),
            "reset": (reset, ("zero", "subtract")),
        }
        for name, (value, known) in choices.items():
            if value not in known:
                raise ValueError(f"spiking_classifier: {name} = {value!r} must be one of {', '.join(known)}")
        for name, sizes in {"hidden": hidden, "convolutions": convolutions, "image_shape": image_shape}.items():
            if any(size < 1 for size in sizes):
                raise ValueError(f"spiking_classifier: {name} = {list(sizes)} must hold whole numbers of at least 1")
        if len(image_shape) != 3:
            raise ValueError(f"spiking_classifier: image_shape = {list(image_shape)} must be channels, height, width")
        if steps < 1:
            raise ValueError(f"spiking_classifier: steps = {steps} must be at least 1")
        self.readout, self.decision, self.code, self.steps, self.classes = readout, decision, code, steps, classes
        self.image_shape = tuple(int(size) for size in image_shape)
        self.flat = not convolutions
        units = _Neurons(
            neuron, dt, tau_mem, tau_syn, {"v_threshold": v_threshold, "reset": reset, "surrogate": surrogate}
        )
        layers: list[tuple[str, nn.Module]] = []
        channels, height, width = self.image_shape
        for place, fan_out in enumerate(convolutions, start=1):
            layers.append((f"convolution{place}_weights", Conv2d(channels, fan_out, 3, 2, 1, bias=bias)))
            layers.append((f"convolution{place}", units.spiking()))
            channels, height, width = fan_out, (height + 1) // 2, (width + 1) // 2
        if convolutions:
            layers.append(("flatten", Flatten()))
        fan_in = channels * height * width
        for place, fan_out in enumerate(hidden, start=1):
            layers.append((f"hidden{place}_weights", Dense(fan_in, fan_out, bias=bias)))
            layers.append((f"hidden{place}", units.spiking()))
            fan_in = fan_out
        layers.append(("readout_weights", Dense(fan_in, classes, bias=bias)))
        layers.append(("readout", units.spiking() if readout == "spikes" else units.integrating()))
        names = ["input", *(name for name, _ in layers), "output"]
        self.network = Network(dict(layers), pairwise(names))

    @staticmethod
    def options_from_data(dataset: Any) -> dict[str, Any]:
        """The options that follow from a data set: how many classes it has, and the size of its pictures."""
        return {"classes": len(dataset.class_names), "image_shape": list(dataset[0]["image"].shape)}

    def forward(self, image: Tensor) -> Tensor:
        """Logits [B, classes] of pictures [B, C, H, W] in 0 to 1."""
        output, _ = self.network(self.encode({"image": image}))
        return self.decode(output)

    def encode(self, batch: Mapping[str, Any]) -> Tensor:
        """The network's input: spikes, 0 or 1, [T, B, N], or [T, B, C, H, W] before convolutions.

        Args:
            batch: holds `image` [B, C, H, W] in 0 to 1.

        Raises:
            ValueError: if the pictures are of another size than the model was made for, or not in 0 to 1.
        """
        image = batch["image"]
        if image.dim() != 4 or tuple(image.shape[1:]) != self.image_shape:
            expected = ", ".join(map(str, self.image_shape))
            raise ValueError(f"spiking_classifier: pictures are {list(image.shape)}, but must be [B, {expected}]")
        train = (regular_rate_code if self.code == "rate" else latency_code)(image, self.steps)
        return train.flatten(2) if self.flat else train

    def decode(self, output: Tensor) -> Tensor:
        """Logits [B, classes] out of the network's output [T, B, classes]: of this network or of one in its place."""
        if self.readout == "spikes":
            return output.sum(0)
        if self.decision == "last":
            return output[-1]
        return output.amax(0) if self.decision == "max" else output.mean(0)

    def spiking_part(self, sample_shapes: Mapping[str, Sequence[int]]) -> SpikingPart:
        """What hardware export takes out.

        Args:
            sample_shapes: of one sample, by name; `image` must be [C, H, W] as in training.

        Raises:
            ValueError: if it is not.
        """
        shape = tuple(sample_shapes.get("image", ()))
        if shape != self.image_shape:
            raise ValueError(
                f"spiking_classifier: a sample's image is {list(shape)}, and the model is for {list(self.image_shape)}"
            )
        if self.code == "rate":
            encoding = (
                "8-bit pixels, row by row: a sum for each starts at 127, gains the pixel at each step, and where it "
                f"reaches 255 there is a spike and 255 is taken off; {self.steps} steps"
            )
        else:
            encoding = f"pixels of 0 to 1, row by row: one spike at step round((1 - pixel) * {self.steps - 1}), 0 never"
        ways = {"mean": "mean over all steps", "max": "maximum over all steps", "last": "value at the last step"}
        decision = "number of spikes" if self.readout == "spikes" else f"{ways[self.decision]} of the membrane"
        shape = (math.prod(shape),) if self.flat else shape
        return SpikingPart(
            self.network, shape, self.encode, encoding=encoding, decoding=f"the class with the largest {decision}"
        )


class _Neurons:
    """Makes layers of neurons whose membrane gains, in all, the weight of each spike that comes in."""

    def __init__(self, kind: str, dt: float, tau_mem: float, tau_syn: float, spiking: dict[str, Any]):
        for name, value in (("dt", dt), ("tau_mem", tau_mem), ("tau_syn", tau_syn)):
            if not 0 < value < math.inf:
                raise ValueError(f"spiking_classifier: {name} = {value!r} s must be a positive time in seconds")
        self.kind, self.dt, self._spiking = kind, dt, spiking
        self._leaky = {"dt": dt, "tau_mem": tau_mem, "r": 1 / -math.expm1(-dt / tau_mem)}
        # Semi-implicit Euler is Loihi's step, the new current moves the membrane at once: so it is exact in integers.
        self._current_based = {"dt": dt, "method": "semi_implicit_euler", "tau_mem": tau_mem, "tau_syn": tau_syn}
        self._current_based |= {"r": tau_mem / dt, "w_in": 1.0}
        if kind == "cuba_lif" and min(tau_mem, tau_syn) < dt:
            raise ValueError(
                f"spiking_classifier: tau_mem = {tau_mem!r} s and tau_syn = {tau_syn!r} s of cuba_lif must not be "
                f"shorter than a step, dt = {dt!r} s"
            )

    def spiking(self) -> nn.Module:
        if self.kind == "if":
            return IF(dt=self.dt, r=1 / self.dt, **self._spiking)
        return (
            CubaLIF(**self._current_based, **self._spiking)
            if self.kind == "cuba_lif"
            else LIF(**self._leaky, **self._spiking)
        )

    def integrating(self) -> nn.Module:
        return CubaLI(**self._current_based) if self.kind == "cuba_lif" else LI(**self._leaky)
