"""Which arrays a neuron's Triton kernels take, and how much of a neuron they hold at a time."""

from __future__ import annotations

from dataclasses import dataclass

from spikelab.kernels.emit import forward
from spikelab.kernels.kept import Kept
from spikelab.neurons.spec import INPUT
from spikelab.neurons.step import Step

#: Lines of a step up to which so many steps are written out.
_WRITTEN_OUT = ((12, 8), (30, 4), (60, 2))
#: Backward, more is loaded for a step.
_MOST_BACKWARD = 4


def steps_written_out(step: Step) -> int:
    """Steps of time that a kernel loads together: fewer of a longer step, whose values fill the registers."""
    lines = len(forward(step).lines)
    return next((steps for limit, steps in _WRITTEN_OUT if lines <= limit), 1)


@dataclass(frozen=True)
class Arrays:
    """What decides how a neuron's kernels look: everything but sizes, layouts, values, and dtypes of inputs.

    Attributes:
        step: the neuron's step.
        shared: for each coefficient, whether one number serves all neurons.
        dtype: of the states: "float32" or "float64".
        together: steps of time that are written out, and between two checkpoints; backward, fewer may be.
        kept: what the forward pass keeps; None keeps nothing. The input and the states before the step mean
            checkpoints, from which the backward pass runs again.
        checkpoints: whether states are kept, but only those before every ``together``-th step.
    """

    step: Step
    shared: tuple[bool, ...]
    dtype: str
    together: int
    kept: Kept | None = None
    checkpoints: bool = False

    def steps(self, direction: str) -> int:
        """Steps of time that a kernel loads together."""
        return self.together if direction == "forward" or self.checkpoints else min(self.together, _MOST_BACKWARD)

    def held(self, direction: str, coefficient_gradients: bool = False) -> int:
        """About how many values a kernel holds of a neuron, from which follows how many neurons fit in a thread."""
        states, steps = len(self.step.states), self.steps(direction)
        # a long step has many values of its own at a time
        passing = len(self.step.lines) // 4
        if direction == "forward":
            return steps + states + passing
        again = states if self.checkpoints else len(self.written)
        loaded = steps * (len(self.step.outputs) + len(self.read_again) + again)
        return loaded + states + passing + len(self.step.coefficients) * coefficient_gradients

    @property
    def written(self) -> list[str]:
        """Names of the arrays that the forward pass keeps, in order."""
        if self.checkpoints:
            return [f"checkpoint_{s}_" for s in self.step.states]
        return [] if self.kept is None else [f"kept_{n}_" for n in (*self.kept.values, *self.kept.signs)]

    @property
    def read_again(self) -> list[str]:
        """Names of the arrays that the backward pass reads where they lie anyway: the input and outputs."""
        if self.checkpoints:
            return ["x_all_"]
        given = () if self.kept is None else self.kept.given
        return ["x_all_" if name == INPUT else f"given_{name}_" for name in given]

    def sequences(self, direction: str) -> list[str]:
        """Arrays [T, ...] of a kernel, in the order of its arguments."""
        records = range(len(self.step.outputs) - 1)
        if direction == "forward":
            return ["x_all_", "out_", *(f"recorded_{r}_" for r in records), *self.written]
        incoming = ["grad_out_", *(f"grad_recorded_{r}_" for r in records)]
        return [*self.read_again, *self.written, *incoming, "grad_x_"]

    def states(self, direction: str) -> list[str]:
        """Arrays [...] of a kernel, in the order of its arguments."""
        before, after = ("state", "final") if direction == "forward" else ("grad_final", "grad_state")
        return [f"{what}_{s}_" for what in (before, after) for s in self.step.states]

    def arguments(self, direction: str, coefficient_gradients: bool = False) -> list[str]:
        """A kernel's parameters but for constants: arrays, sizes, then distances in time, of rows and of columns."""
        gathered = ["grad_shared_", "grad_per_neuron_"] if coefficient_gradients else []
        sequences, states = self.sequences(direction), self.states(direction)
        distances = [f"{name}{kind}_" for name in sequences for kind in ("time", "row", "column")]
        distances += [f"{name}{kind}_" for name in states for kind in ("row", "column")]
        return [*sequences, *states, "shared_", "per_neuron_", *gathered, "steps_", "size_", "inner_", *distances]
