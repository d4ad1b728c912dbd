"""From a network of ours to snnTorch, with the spikes compared on the spot.

Ours keeps a share of the membrane, adds gain times the input and a constant of leak. With v = v_leak + gain u the same
neuron is snnTorch's u' = beta u + x, whose threshold is (v_threshold - v_leak) / gain. How the resets correspond stands
in ``interop_snntorch_read``.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Literal

import torch
from torch import Tensor, nn

from spikelab.io.follow import CannotTranslate
from spikelab.io.interop import copied
from spikelab.io.interop_chain import Link, Made, assemble, verify_export
from spikelab.io.interop_snntorch_read import SURROGATES, in_float64, package, readout, step
from spikelab.io.step_constants import LinearStep, linear_step, one_if_equal
from spikelab.nn import Conv2d, Dense, Network, Neuron

#: Two constants that were computed on different ways count as equal within this share.
_SAME = 1e-11


def to_snntorch(
    network: Network,
    input_shape: tuple[int, ...],
    verify: bool | Tensor = True,
    double_reset: Literal["refuse", "ignore"] = "refuse",
    spike_grad: Any = None,
) -> nn.Sequential:
    """A chain of layers as a snnTorch network with the same spikes.

    Translated are IF, LIF and current-based LIF (stepped by "semi_implicit_euler"), each with or without spikes that
    come back through Dense or Conv2d weights without bias, LI and current-based LI as the last layer, and the layers
    between them. The layers keep their states themselves (``init_hidden=True``), so call the result on one step [B,
    ...] after the other, and ``snntorch.utils.reset(module)`` before a new sequence. Names of layers are those of the
    nodes. Decays and thresholds are kept in float64; ``module.float()`` rounds them.

    Args:
        network: a chain; branches and sums have no counterpart.
        input_shape: of one step, without batch.
        verify: compare on 200 steps of random spikes, both in float64; or on this input [T, B, ...].
        double_reset: a subtraction in the step of the spike is ``reset_delay=False`` there, which holds back the spike
            after a membrane passed twice its threshold. "refuse" it, or "ignore" that.
        spike_grad: the surrogate for all layers; None takes the counterpart of each layer's own.

    Raises:
        CannotTranslate: lists each node without an exact counterpart, and the remedy.
        SpikesDiffer: if the comparison finds a difference; names the first.
    """
    snntorch = package()
    if double_reset not in ("refuse", "ignore"):
        raise ValueError(f"to_snntorch: double_reset = {double_reset!r} must be 'refuse' or 'ignore'")

    def make(link: Link, before: Link | None) -> Made:
        return _make(snntorch, link, double_reset, spike_grad)

    layers = assemble(network, "snntorch", make)
    module = nn.Sequential(OrderedDict(layers)).eval()
    if verify is not False:
        verify_export(
            network, module, layers, "snntorch", tuple(input_shape), verify, in_float64, _run, readout, copied
        )
    return module


def _run(module: nn.Module, x: Tensor) -> None:
    for now in x.unbind(0):
        step(module, now, None)


def _make(snntorch: Any, link: Link, double_reset: str, spike_grad: Any) -> Made:
    layer = link.module
    assert isinstance(layer, Neuron)
    name = layer.spec.name
    if name not in ("if", "lif", "cuba_lif", "li", "cuba_li", "late_reset_lif", "late_reset_cuba_lif"):
        raise CannotTranslate(f"snnTorch has no {layer.spec.title.lower()}; use LIF or CubaLIF")
    numbers = _numbers(layer)
    values = {key: value.detach() for key, value in layer.parameter_values().items()}
    leak = values.get("v_leak", torch.zeros((), dtype=torch.float64))
    gain = numbers.gain if numbers.gain_current is None else numbers.gain * numbers.gain_current
    if bool((gain <= 0).any()):
        raise CannotTranslate("its gain from input to membrane is not positive; give the sign to the weights")
    options: dict[str, Any] = {"beta": numbers.keep, "init_hidden": True}
    if numbers.keep_current is not None:
        options["alpha"] = numbers.keep_current
    if not layer.spec.spikes:
        if bool((leak != 0).any()):
            raise CannotTranslate("an integrator that leaks to something else than zero; set v_leak=0")
        kind = "Leaky" if numbers.keep_current is None else "Synaptic"
        made = getattr(snntorch, kind)(**options, reset_mechanism="none", output=True)
        return Made(made, scale=gain)
    kind = ("R" if link.recurrent is not None else "") + ("Leaky" if numbers.keep_current is None else "Synaptic")
    options |= _reset(layer, kind, numbers, leak, gain, values, double_reset)
    options |= {name: one_if_equal(options[name]) for name in ("alpha", "beta", "threshold") if name in options}
    options["spike_grad"] = _spike_grad(snntorch, layer) if spike_grad is None else spike_grad
    if link.recurrent is None:
        return Made(getattr(snntorch, kind)(**options))
    return Made(_recurrent(getattr(snntorch, kind), link.recurrent, options))


def _numbers(layer: Neuron) -> LinearStep:
    numbers = linear_step(layer)
    if numbers.from_old_current:
        raise CannotTranslate(
            f"stepped by {layer.options.method!r} with input {layer.options.input_form!r}, its membrane does not "
            f"follow the new current alone, as snnTorch's does; use method='semi_implicit_euler'"
        )
    for keep in (numbers.keep, numbers.keep_current):
        if keep is not None and bool(((keep < 0) | (keep > 1)).any()):
            raise CannotTranslate(
                "a time constant shorter than the step keeps less than nothing; snnTorch clips that to 0"
            )
    return numbers


def _reset(
    layer: Neuron,
    kind: str,
    numbers: LinearStep,
    leak: Tensor,
    gain: Tensor,
    values: dict[str, Tensor],
    double_reset: str,
) -> dict[str, Any]:
    reset, threshold, keep = layer.options.reset, values["v_threshold"], numbers.keep
    waits = round(layer.refractory / layer.dt) if layer.refractory else 1
    if waits > 2 or (waits == 2 and (kind == "Leaky" or reset not in ("zero", "value"))):
        raise CannotTranslate(f"snnTorch has no refractory time (here {layer.refractory:g} s); set refractory=0")
    if reset in ("zero", "value"):
        after = values["v_reset"] if reset == "value" else torch.zeros_like(leak)
        if bool((after != leak).any()):
            raise CannotTranslate("snnTorch resets to where the membrane leaks; set v_reset (or zero) equal to v_leak")
        if bool((threshold < leak).any()):
            raise CannotTranslate("its threshold lies below where it leaks, so it spikes for ever; raise v_threshold")
        if kind == "RSynaptic" and waits != 2:
            raise CannotTranslate(
                "snnTorch 1.0 resets its RSynaptic only one step late, which is a refractory time of two steps here; "
                "set refractory=2*dt"
            )
        late = waits == 2 if kind != "Leaky" else layer.options.detach_reset
        return {"reset_mechanism": "zero", "reset_delay": late, "threshold": (threshold - leak) / gain}
    if reset == "late":
        return {"reset_mechanism": "subtract", "reset_delay": True, "threshold": threshold / gain}
    # ours subtracts v_threshold at once; theirs (v_threshold - v_leak), after the decay
    shifted = torch.where(keep < 1, leak * keep / (1 - keep).clamp(min=1e-300), threshold)
    if bool(((shifted - (threshold - leak)).abs() <= _SAME * threshold.abs()).all()):
        return {"reset_mechanism": "subtract", "reset_delay": True, "threshold": shifted / gain}
    if bool((leak != 0).any()):
        raise CannotTranslate(
            "snnTorch has no leak to another value than zero with a reset by subtraction; set v_leak=0, or "
            "reset='value' with v_reset=v_leak"
        )
    if double_reset == "refuse":
        raise CannotTranslate(
            "a subtraction in the step of the spike is reset_delay=False there, which holds back the spike after a "
            "membrane passed twice its threshold; use reset='zero', or pass double_reset='ignore' if membranes stay "
            "below that (the comparison then says where they do not)"
        )
    if kind == "RSynaptic":
        raise CannotTranslate(
            "snnTorch 1.0 resets its RSynaptic only one step late; use reset='zero' and refractory=2*dt"
        )
    return {"reset_mechanism": "subtract", "reset_delay": False, "threshold": threshold / gain}


def _recurrent(kind: Any, weights: Dense | Conv2d, options: dict[str, Any]) -> nn.Module:
    if weights.bias is not None and bool((weights.bias != 0).any()):
        raise CannotTranslate(
            "its recurrent weights have a bias, which acts from the second step on here and from the first there; use "
            "bias=False"
        )
    weight = weights.weight.detach()
    if isinstance(weights, Dense):
        if torch.equal(weight, torch.diag(torch.diagonal(weight))):
            return kind(**options, all_to_all=False, V=torch.diagonal(weight).clone())
        made = kind(**options, all_to_all=True, linear_features=weights.in_features)
    elif weights.groups == weights.in_channels and weight.shape[1:] == (1, 1, 1):
        return kind(**options, all_to_all=False, V=weight.clone().reshape(-1, 1, 1))
    else:
        size = tuple(weights.kernel_size)
        half = tuple(number // 2 for number in size)
        plain = (tuple(weights.stride), tuple(weights.dilation), weights.groups) == ((1, 1), (1, 1), 1)
        if not plain or weights.padding != half or weights.padding_mode != "zeros":
            raise CannotTranslate(
                "snnTorch's recurrent convolution has stride 1, no groups and padding of half its kernel"
            )
        made = kind(**options, all_to_all=True, conv2d_channels=weights.in_channels, kernel_size=size)
    made.recurrent.to(weight.dtype)
    with torch.no_grad():
        made.recurrent.weight.copy_(weight)
        made.recurrent.bias.zero_()
    return made


def _spike_grad(snntorch: Any, layer: Neuron) -> Any:
    found = layer.options.surrogate_record()
    for theirs, (ours, constants) in SURROGATES.items():
        if found.name == ours and not layer.options.surrogate_expression:
            held = {their: found.parameters[our] for their, our in constants.items()}
            if ours != "straight_through" or found.parameters == {"gain": 1.0}:
                return getattr(snntorch.surrogate, theirs)(**held)
    raise CannotTranslate(
        f"its surrogate {found.name!r} has no counterpart; pass spike_grad=snntorch.surrogate.atan() (spikes do not "
        "depend on it)"
    )
