"""Between the time constants of our neurons and the factors by which other frameworks keep a state from step to step.

Forward Euler keeps 1 - dt / tau of a membrane. Every factor from 0 up to 1 has such a tau, also 0 (tau = dt), which
exp(-dt / tau) reaches for none; so translated neurons are stepped by forward Euler.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spikelab.kernels.coefficients import coefficients
from spikelab.nn import Neuron

#: A time constant of so many steps keeps everything: 1 - 2^-60 is 1 in float64.
KEEPS_ALL = 2.0**60


def time_constant(keep: Tensor, dt: float) -> Tensor:
    """The tau for which 1 - dt / tau is ``keep`` (0 to 1), to the last bit of float64."""
    tau = dt / (1 - keep.to(torch.float64))
    candidates = [tau]
    for direction in (0.0, torch.inf):
        near = tau
        for _ in range(3):
            near = torch.nextafter(near, torch.full_like(near, direction))
            candidates.append(near)
    error = torch.stack([(1 - dt / candidate - keep).abs() for candidate in candidates])
    best = torch.stack(candidates).gather(0, error.argmin(0, keepdim=True)).squeeze(0)
    return torch.where(keep < 1, best, torch.full_like(best, dt * KEEPS_ALL))


def unit_gain(tau: Tensor, dt: float) -> Tensor:
    """The r for which dt r / tau is 1, to the last bit of float64."""
    r = tau / dt
    candidates = [r, *(torch.nextafter(r, torch.full_like(r, end)) for end in (0.0, torch.inf))]
    error = torch.stack([(dt * candidate / tau - 1).abs() for candidate in candidates])
    return torch.stack(candidates).gather(0, error.argmin(0, keepdim=True)).squeeze(0)


def one_if_equal(value: Tensor) -> Tensor:
    """A single number where all are the same."""
    first = value.reshape(-1)[0]
    return first.clone() if bool((value == first).all()) else value


@dataclass(frozen=True)
class LinearStep:
    """One step of a layer as numbers: i' = keep_i i + gain_i x and v' = keep v + gain (x or i') + constant.

    Attributes:
        keep: share of the membrane that stays.
        gain: from the input, or from the new current, to the membrane.
        constant: added at each step.
        keep_current: share of the current that stays; None for a neuron without one.
        gain_current: from the input to the current; None for a neuron without one.
        from_old_current: the membrane also depends on the current before the step, or on the input beside it.
    """

    keep: Tensor
    gain: Tensor
    constant: Tensor
    keep_current: Tensor | None = None
    gain_current: Tensor | None = None
    from_old_current: bool = False


def linear_step(layer: Neuron) -> LinearStep:
    """The numbers of a layer of (leaky) integrate-and-fire neurons or integrators, with or without a current."""
    values = {name: value.detach() for name, value in layer.parameter_values().items()}
    found = coefficients(layer.step, values, layer.dt, layer.refractory)
    one, zero = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    lines = dict(layer.step.lines)
    update = lines.get("v_free_", lines.get("v_h_"))
    assert update is not None
    used = {str(symbol) for symbol in update.free_symbols}

    def factor(target: str, origin: str, absent: Tensor) -> Tensor:
        return found.get(f"{target}_from_{origin}_", absent)

    if "i" not in layer.spec.state_names:
        return LinearStep(factor("v", "v", one), factor("v", "x", one), factor("v", "constant", zero))
    return LinearStep(
        factor("v", "v", one), factor("v", "i", one), factor("v", "constant", zero), factor("i", "i", one),
        factor("i", "x", one), from_old_current="i" in used or "x" in used,
    )  # fmt: skip
