"""A spiking classifier of event recordings: convolutions and spiking neurons that see one picture of events a step.

All that is learned is one ``Network``, so learning rules, quantisation and export take it as they take any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from torch import Tensor, nn

from spikelab.nn import LI, LIF, AvgPool2d, BatchNorm1d, BatchNorm2d, Conv2d, Delay, Dense, Flatten, Network
from spikelab.nn.part import SpikingPart


class _Chain:
    """A network in the making: each layer follows the one before; to neurons, there may be several ways.

    Args:
        delays: see `EventClassifier`.
        delay_growth: see `EventClassifier`.
        normalise: see `EventClassifier`.
        spiking: options of the neurons.
    """

    def __init__(self, delays: Sequence[int], delay_growth: int, normalise: bool, spiking: Mapping[str, Any]):
        self.delays, self.delay_growth = tuple(delays), delay_growth
        self.normalise, self.spiking = normalise, spiking
        self.nodes: dict[str, nn.Module] = {}
        self.edges: list[tuple[str, str]] = []
        self.last = "input"

    def add(self, name: str, module: nn.Module) -> None:
        """A layer that follows the last one."""
        self._join(name, module, self.last)
        self.last = name

    def add_neurons(self, name: str, weights: Callable[[], nn.Module], norm: Callable[[], Any]) -> None:
        """Neurons, and for each delay a connection to them from the last layer."""
        start, ends = self.last, []
        for delay in self.delays:
            self.last, after = start, f"_after{delay}" if delay else ""
            if delay:
                self.add(f"{name}_delay{delay}", Delay(delay))
            self.add(f"{name}_weights{after}", weights())
            if self.normalise:
                normal = norm()
                # together they drive the neurons as strongly as one
                nn.init.constant_(normal.weight, 1 / math.sqrt(len(self.delays)))
                self.add(f"{name}_norm{after}", normal)
            ends.append(self.last)
        self._join(name, LIF(**self.spiking), *ends)
        self.last = name
        self.delays = tuple(delay * self.delay_growth for delay in self.delays)

    def network(self) -> Network:
        """All of it."""
        return Network(self.nodes, [*self.edges, (self.last, "output")])

    def _join(self, name: str, module: nn.Module, *sources: str) -> None:
        self.nodes[name] = module
        self.edges += [(source, name) for source in sources]


class EventClassifier(nn.Module):
    """Tells the class of a recording from a spiking network's answer to it.

    Each block is a convolution of 3 x 3, batch normalisation, LIF neurons and the mean over 2 x 2 of their spikes; then
    come fully connected layers with LIF neurons, and a leaky integrator for each class.

    Channels of a cochlea are taken as pictures of one column. There a block is a convolution of 5 channels whose
    neurons stand at every second of them: what a formant looks like is learned once for all pitches, and so for throats
    of all lengths.

    Args:
        convolutions: channels of the blocks; empty for fully connected layers alone.
        hidden: widths of the fully connected layers.
        delays: steps after which input reaches the neurons of a block or a fully connected layer; more than one give it
            as many connections, each with a delay and weights of its own, so that it sees how sound or light moves, as
            neurons do by axons of different lengths (Hammouamri, Khalfaoui-Hassani and Masquelier 2024, "Learning
            delays in spiking neural networks using dilated convolutions with learnable spacings", ICLR; here delays
            stay as they are).
        delay_growth: delays are this many times longer from one block or fully connected layer to the next; 2 lets each
            see twice as much time as the one before (van den Oord et al. 2016, "WaveNet", section 2.1).
        decision: how the integrators are read: "mean" over time, "max"imum over time, or "last" step.
        tau_mem: membrane time constant in seconds.
        dt: length of a step in seconds; follows from the data where its steps have one length.
        v_threshold: spike threshold.
        reset: "zero" after a spike, or "subtract" the threshold.
        surrogate: surrogate derivative.
        normalise: batch normalisation before the neurons; without it connections have a bias.
        classes: number of classes; follows from the data.
        event_shape: shape of one step: polarities, height and width, or the number of channels of a cochlea; follows
            from the data.

    Raises:
        ValueError: for an unknown choice, or a size or time that makes no network.
    """

    inputs = ("events",)

    def __init__(
        self,
        convolutions: Sequence[int] = (16, 32, 64),
        hidden: Sequence[int] = (),
        delays: Sequence[int] = (0,),
        delay_growth: int = 1,
        decision: Literal["mean", "max", "last"] = "mean",
        tau_mem: float = 20e-3,
        dt: float = 5e-3,
        v_threshold: float = 1.0,
        reset: Literal["zero", "subtract"] = "zero",
        surrogate: str = "arctan",
        normalise: bool = True,
        classes: int = 10,
        event_shape: Sequence[int] = (2, 32, 32),
    ):
        super().__init__()
        if decision not in ("mean", "max", "last"):
            raise ValueError(f"event_classifier: decision = {decision!r} must be one of mean, max, last")
        for name, sizes in {"convolutions": convolutions, "hidden": hidden, "event_shape": event_shape}.items():
            if any(size < 1 for size in sizes):
                raise ValueError(f"event_classifier: {name} = {list(sizes)} must hold whole numbers of at least 1")
        for name, seconds in (("tau_mem", tau_mem), ("dt", dt)):
            if not 0 < seconds < math.inf:
                raise ValueError(f"event_classifier: {name} = {seconds!r} s must be a positive time in seconds")
        if not delays or len(set(delays)) < len(delays) or min(delays) < 0:
            raise ValueError(f"event_classifier: delays = {list(delays)} must be different whole numbers of steps >= 0")
        if delay_growth < 1:
            raise ValueError(f"event_classifier: delay_growth = {delay_growth} must be a whole number of at least 1")
        smallest = 2 ** len(convolutions)
        if convolutions and (len(event_shape) not in (1, 3) or min(event_shape[-2:]) < smallest):
            raise ValueError(
                f"event_classifier: {len(convolutions)} convolutions take pictures of at least {smallest} x {smallest} "
                f"pixels, or {smallest} channels, and a step is {list(event_shape)}; give fewer with "
                "--model.options.convolutions"
            )
        self.decision, self.classes = decision, classes
        self.event_shape = tuple(int(size) for size in event_shape)
        # the membrane of a spike through a weight w gains w, whatever the step
        leaky = {"dt": dt, "tau_mem": tau_mem, "r": 1 / -math.expm1(-dt / tau_mem)}
        spiking: dict[str, Any] = {**leaky, "v_threshold": v_threshold, "reset": reset, "surrogate": surrogate}
        line = len(self.event_shape) == 1
        shape = (1, *self.event_shape, 1) if line and convolutions else self.event_shape
        self.input_shape = shape
        layers = _Chain(delays, delay_growth, normalise, spiking)
        for place, fan_out in enumerate(convolutions, start=1):
            name, fan_in = f"convolution{place}", shape[0]
            window: dict[str, Any] = {"kernel_size": 3, "padding": 1}
            if line:
                window = {"kernel_size": (5, 1), "padding": (2, 0), "stride": (2, 1)}
            weights = partial(Conv2d, fan_in, fan_out, bias=not normalise, **window)
            layers.add_neurons(name, weights, partial(BatchNorm2d, fan_out))
            if line:
                shape = (fan_out, -(-shape[1] // 2), 1)
            else:
                layers.add(f"{name}_pool", AvgPool2d(2))
                shape = (fan_out, shape[1] // 2, shape[2] // 2)
        if len(shape) > 1:
            layers.add("flatten", Flatten())
        fan_in = math.prod(shape)
        for place, fan_out in enumerate(hidden, start=1):
            to_all = partial(Dense, fan_in, fan_out, bias=not normalise)
            layers.add_neurons(f"hidden{place}", to_all, partial(BatchNorm1d, fan_out))
            fan_in = fan_out
        layers.add("readout_weights", Dense(fan_in, classes))
        layers.add("readout", LI(**leaky))
        self.network = layers.network()

    @staticmethod
    def options_from_data(dataset: Any) -> dict[str, Any]:
        """The options that follow from a data set: its classes, and the shape and the length of a step."""
        options = {"classes": len(dataset.class_names), "event_shape": list(dataset[0]["events"].shape[1:])}
        step = getattr(dataset, "step", None)
        return options if step is None else options | {"dt": step}

    def forward(self, events: Tensor) -> Tensor:
        """Logits [B, classes] of recordings [B, T, ...]."""
        output, _ = self.network(self.encode({"events": events}))
        return self.decode(output)

    def encode(self, batch: Mapping[str, Any]) -> Tensor:
        """The network's input: the recordings `events` [B, T, ...] with time first, [T, B, ...].

        Raises:
            ValueError: if a step is of another shape than the model was made for.
        """
        events: Tensor = batch["events"]
        if tuple(events.shape[2:]) != self.event_shape:
            expected = ", ".join(map(str, self.event_shape))
            raise ValueError(f"event_classifier: recordings are {list(events.shape)}, but must be [B, T, {expected}]")
        return events.transpose(0, 1).unflatten(2, self.input_shape) if events.dim() == 3 else events.transpose(0, 1)

    def decode(self, output: Tensor) -> Tensor:
        """Logits [B, classes] out of the network's output [T, B, classes]."""
        if self.decision == "last":
            return output[-1]
        return output.amax(0) if self.decision == "max" else output.mean(0)

    def spiking_part(self, sample_shapes: Mapping[str, Sequence[int]]) -> SpikingPart:
        """What hardware export takes out.

        Args:
            sample_shapes: of one sample, by name; `events` must be [T, ...] as in training.

        Raises:
            ValueError: if it is not.
        """
        shape = tuple(sample_shapes.get("events", ()))
        if shape[1:] != self.event_shape:
            raise ValueError(
                f"event_classifier: a sample's events are {list(shape)}, the model is for [T, "
                f"{', '.join(map(str, self.event_shape))}]"
            )
        ways = {"mean": "mean over all steps", "max": "maximum over all steps", "last": "value at the last step"}
        return SpikingPart(
            self.network, self.input_shape, self.encode, input_bits=8, input_high=255.0,
            encoding="numbers of events of each polarity and pixel, one picture a step",
            decoding=f"the class with the largest {ways[self.decision]} of the membrane",
        )  # fmt: skip
