"""Networks written in snnTorch (1.0): in and out, with the spikes compared on the spot.

snnTorch's step is mem' = beta mem + x, and it spikes where mem' > threshold. Its reset comes one step late unless
``reset_delay=False``: a membrane that spiked enters the next step unreset, and is reset there. What that means, and the
neuron of ours with the same spikes:

    Leaky, zero             (1 - spike) beta mem + x      the same as a reset in the step of the spike
    Synaptic, RLeaky, ...,  (1 - spike) (beta mem + x)    drops the input of the next step too: a refractory time of two
      zero                                                steps, in which the first would move anyway
    subtract                beta mem + x - spike thr      subtracts thr after the decay, not before it. With
                                                          v = mem + thr (1 - beta) / beta this is a neuron with
                                                          threshold thr / beta that subtracts thr / beta at once and
                                                          leaks to thr (1 - beta) / beta
    none                    beta mem + x                  a leaky integrator, where the membrane is what is read

The third is exact in algebra, and such a LIF can be exported. In numbers it rounds elsewhere, which matters only where
membranes lie right on the threshold, as equal spikes on short weights (1, 0.5) bring about;
``late_subtraction="neuron"`` takes a neuron of its own instead, which computes snnTorch's very terms, but has no form
in NIR or hardware.

With ``reset_delay=False`` a reset to zero is ours, and no refractory time is needed. A subtraction is ours only until a
membrane passes twice its threshold: snnTorch then holds back the spike of the step after (it takes the rest above the
threshold for a reset still to come). That is refused unless ``double_reset="ignore"``.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from spikelab.io.follow import CannotTranslate, Layer
from spikelab.io.interop import Framework, Translated, import_module
from spikelab.io.late_reset import LATE_CUBA_LIF, LATE_LIF
from spikelab.io.step_constants import time_constant, unit_gain
from spikelab.nn import LI, Conv2d, CubaLI, Dense, Network, Neuron

#: Where the membrane is moved by a constant, rounding must not lift one that equals the threshold above it: ours is
#: larger by this share, far more than float64 rounds and far less than any weight means.
ABOVE_TIES = 1 + 2.0**-46

DoubleReset = Literal["refuse", "ignore"]
LateSubtraction = Literal["lif", "neuron"]
_KINDS = ("Leaky", "Synaptic", "RLeaky", "RSynaptic")
#: snnTorch's surrogate -> ours and the names of their constants, theirs to ours.
SURROGATES: dict[str, tuple[str, dict[str, str]]] = {
    "atan": ("arctan", {"alpha": "alpha"}),
    "fast_sigmoid": ("fast_sigmoid", {"slope": "slope"}),
    "sigmoid": ("sigmoid", {"slope": "slope"}),
    "straight_through_estimator": ("straight_through", {}),
}


def from_snntorch(
    module: nn.Module,
    input_shape: Sequence[int] | None = None,
    dt: float = 1e-3,
    example_input: Tensor | None = None,
    verify: bool | Tensor = True,
    late_subtraction: LateSubtraction = "lif",
    double_reset: DoubleReset = "refuse",
    surrogate: str | None = None,
) -> Network:
    """A snnTorch network as one of ours, with the same spikes from the same input.

    The module may be an ``nn.Sequential`` or one's own class, called on one step (hidden states kept by the layers, or
    passed as further arguments that accept None) or looping over time itself. Which layer feeds which is found by
    following one run; sums and flattening between layers are understood, anything else is refused.

    Layers: Linear, Conv2d, AvgPool2d, MaxPool2d, Flatten, BatchNorm (running statistics), Dropout (left out), and
    snnTorch's Leaky, Synaptic, RLeaky and RSynaptic. Learned parameters keep their present values and stay fixed here.
    A layer with ``reset_mechanism="none"`` becomes an integrator that gives out its membrane.

    Args:
        module: as trained; a copy in evaluation mode is read, the module itself stays as it is.
        input_shape: of one step, without batch, for a module that is called on one step.
        dt: seconds a step stands for. snnTorch knows none; the spikes do not depend on it.
        example_input: in place of ``input_shape``: an input exactly as the module's forward expects it.
        verify: compare with the original on random spikes (200 steps, or as many as the module itself loops over),
            both in float64, so that rounding decides nothing; or on this input [T, B, ...].
        late_subtraction: the neuron for a subtraction one step late (snnTorch's default): "lif" or "neuron", see the
            module's text.
        double_reset: what to do about ``reset_delay=False`` with subtraction: see the module's text.
        surrogate: our surrogate derivative; None takes the layer's own.

    Raises:
        CannotTranslate: lists each layer without an exact translation, and the remedy.
        SpikesDiffer: if the comparison finds a difference; names the first.
    """
    for what, value, known in (
        ("late_subtraction", late_subtraction, get_args(LateSubtraction)),
        ("double_reset", double_reset, get_args(DoubleReset)),
    ):
        if value not in known:
            raise ValueError(f"from_snntorch: {what} = {value!r} must be one of {known}")
    snntorch = package()

    def translate(layer: Layer, shape: tuple[int, ...]) -> Translated:
        return _translate(layer.module, shape, dt, late_subtraction, double_reset, surrogate)

    framework = Framework(
        "snntorch",
        is_neuron=lambda m: isinstance(m, snntorch.SpikingNeuron),
        is_layer=lambda m: isinstance(m, snntorch.SpikingNeuron),
        sees_time=lambda m: False,
        membrane_port=lambda m: {"Leaky": 1, "RLeaky": 1}.get(type(m).__name__, 2),
        check=_check,
        translate=translate,
        in_float64=in_float64,
        membrane=readout,
        step=step,
    )
    return import_module(framework, module, input_shape, example_input, verify)


def package() -> Any:
    """The installed snnTorch; ImportError says how to get it."""
    try:
        import snntorch
    except ImportError as error:
        raise ImportError(f"snnTorch is not installed ({error}); pip install 'spikelab[interop]'") from error
    return snntorch


def readout(layer: Any, output: Any) -> Tensor:
    """The real numbers that a layer gives out: a neuron's membrane, or the output itself."""
    return layer.mem if isinstance(layer, package().SpikingNeuron) else output


def in_float64(module: nn.Module) -> None:
    """Makes a module compute in float64 throughout, and forget its hidden states."""
    snntorch = package()
    module.double()
    for layer in module.modules():
        if not isinstance(layer, snntorch.SpikingNeuron):
            continue
        for state in ("spk", "syn", "mem"):
            if isinstance(getattr(layer, state, None), Tensor):
                setattr(layer, state, torch.zeros(0, dtype=torch.float64))
        # snnTorch's surrogates give out float32 whatever comes in
        if not isinstance(layer.spike_grad, _KeepsType):
            layer.spike_grad = _KeepsType(layer.spike_grad)


class _KeepsType:
    def __init__(self, spike: Any):
        self.spike = spike

    def __call__(self, distance: Tensor) -> Tensor:
        return self.spike(distance).to(distance.dtype)


def step(module: nn.Module, x: Tensor, state: Any) -> None:
    """Calls a module on one step; it keeps its states itself, so states that it asks for are given as None."""
    required = [
        parameter
        for parameter in inspect.signature(module.forward).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    module(x, *[None] * (len(required) - 1))


def _translate(
    layer: Any,
    shape: tuple[int, ...],
    dt: float,
    late_subtraction: LateSubtraction,
    double_reset: DoubleReset,
    surrogate: str | None,
) -> Translated:
    kind = type(layer).__name__
    keep = layer.beta.detach().double().clamp(0, 1)
    threshold = layer.threshold.detach().double()
    reset, late, recurrent = layer.reset_mechanism, bool(layer.reset_delay), kind.startswith("R")
    if reset == "none":
        return Translated({"": _integrator(layer, keep, dt, recurrent)}, real=True)
    tau = time_constant(keep, dt)
    options: dict[str, Any] = {"dt": dt, "input_form": "impulse", "reset": reset, "detach_reset": late}
    options |= _surrogate(layer, surrogate)
    values: dict[str, Any] = {"v_threshold": threshold}
    if reset == "zero":
        if bool((threshold < 0).any()):
            raise CannotTranslate(
                "a reset to zero with a threshold below zero spikes for ever; use reset_mechanism='subtract'"
            )
        if late and kind != "Leaky":
            options["refractory"] = 2 * dt
    elif late and late_subtraction == "neuron":
        options["reset"] = "late"
        values["tau_reset"] = dt
    elif late:
        if bool((keep == 0).any()):
            raise CannotTranslate(
                "subtraction one step late with beta = 0: nothing but the reset outlives a step, which no LIF has; "
                "use reset_mechanism='zero', or late_subtraction='neuron'"
            )
        values = {"v_threshold": _above_ties(threshold / keep, keep), "v_leak": threshold * (1 - keep) / keep}
    elif double_reset == "refuse":
        raise CannotTranslate(
            "reset_delay=False with subtraction: snnTorch holds back the spike after a membrane passed twice its "
            "threshold, which no neuron here does; use reset_delay=True or reset_mechanism='zero', or pass "
            "double_reset='ignore' if membranes stay below that (the comparison then says where they do not)"
        )
    if hasattr(layer, "alpha"):
        tau_syn = time_constant(layer.alpha.detach().double().clamp(0, 1), dt)
        values |= {"tau_syn": tau_syn, "w_in": tau_syn, "tau_mem": tau, "r": unit_gain(tau, dt)}
        own = LATE_CUBA_LIF if options["reset"] == "late" else "cuba_lif"
        neuron = Neuron(own, method="semi_implicit_euler", **options, **values)
    elif bool((keep == 1).all()) and options["reset"] != "late":
        neuron = Neuron("if", method="euler", **options, r=1.0, v_threshold=values["v_threshold"])
    else:
        own = LATE_LIF if options["reset"] == "late" else "lif"
        neuron = Neuron(own, method="euler", **options, tau_mem=tau, r=tau, **values)
    if not recurrent:
        return Translated({"": neuron})
    weights, bias = _recurrent(layer, shape)
    edges = [("", "_recurrent"), ("_recurrent", "")]
    return Translated({"": neuron, "_recurrent": weights}, edges, bias=bias)


def _above_ties(threshold: Tensor, keep: Tensor) -> Tensor:
    # short binary fractions are computed without rounding, and need no room
    short = [value * 4096 == (value * 4096).round() for value in torch.broadcast_tensors(threshold, keep)]
    return torch.where(short[0] & short[1], threshold, threshold * ABOVE_TIES)


def _check(layer: Any) -> None:
    """Refuses what no neuron here does, whatever the layer's numbers are."""
    kind = type(layer).__name__
    if kind not in _KINDS or type(layer).__module__.partition(".")[0] != "snntorch":
        raise CannotTranslate(f"{kind} is not translated; use one of {', '.join(_KINDS)}")
    problems = []
    if kind == "RSynaptic" and not layer.reset_delay:
        problems.append(
            "RSynaptic with reset_delay=False: snnTorch 1.0 computes that reset and throws it away (or fails without "
            "states); use reset_delay=True, which does the same and is translated"
        )
    if layer.inhibition:
        problems.append(
            "inhibition=True (only the largest membrane of a layer may spike) has no counterpart; set it to False"
        )
    if layer.state_quant:
        problems.append("state_quant rounds the states; import without it and quantise here")
    if bool((layer.graded_spikes_factor != 1).any()):
        problems.append("graded_spikes_factor is not 1; multiply the next layer's weights by it and set it to 1")
    # asked rather than looked up: anybody may bring a surrogate, and some of snnTorch's are random
    probe = torch.tensor([-1.0, -1e-6, 0.0, 1e-6, 1.0]).repeat(200)
    with torch.no_grad():
        fires = torch.equal(layer.spike_grad(probe), (probe > 0).float())
    if not fires:
        problems.append(
            "its spike_grad does not give 1 above the threshold and 0 elsewhere; use snntorch.surrogate.atan()"
        )
    if problems:
        raise CannotTranslate("; ".join(problems))


def _integrator(layer: Any, keep: Tensor, dt: float, recurrent: bool) -> Neuron:
    if recurrent:
        raise CannotTranslate(
            "reset_mechanism='none' in a recurrent layer: its spikes come back though it is not reset, which no "
            "neuron here does; use 'zero' or 'subtract'"
        )
    tau = time_constant(keep, dt)
    if not hasattr(layer, "alpha"):
        return LI(dt=dt, method="euler", input_form="impulse", tau_mem=tau, r=tau)
    tau_syn = time_constant(layer.alpha.detach().double().clamp(0, 1), dt)
    return CubaLI(
        dt=dt, method="semi_implicit_euler", input_form="impulse", tau_mem=tau, r=unit_gain(tau, dt), tau_syn=tau_syn,
        w_in=tau_syn,
    )  # fmt: skip


def _surrogate(layer: Any, chosen: str | None) -> dict[str, Any]:
    if chosen is not None:
        return {"surrogate": chosen}
    spike = layer.spike_grad.spike if isinstance(layer.spike_grad, _KeepsType) else layer.spike_grad
    if layer.surrogate_disable:
        # without a gradient of theirs there is none to be like
        return {}
    name = getattr(spike, "__qualname__", "").partition(".")[0]
    if name not in SURROGATES or getattr(spike, "__module__", "") != "snntorch.surrogate":
        raise CannotTranslate(
            f"its surrogate {name or spike!r} has no counterpart of that name; pass surrogate='arctan' (spikes do not "
            f"depend on it)"
        )
    ours, constants = SURROGATES[name]
    held = inspect.getclosurevars(spike).nonlocals
    return {"surrogate": ours, "surrogate_parameters": {constants[k]: float(held[k]) for k in constants}}


def _recurrent(layer: Any, shape: tuple[int, ...]) -> tuple[Dense | Conv2d, Tensor | None]:
    """The weights by which spikes come back, without bias, and the bias for itself."""
    inner = layer.recurrent
    ours: Dense | Conv2d
    if isinstance(inner, nn.Linear):
        ours = Dense(inner.in_features, inner.out_features, bias=False)
        weight = inner.weight
    elif isinstance(inner, nn.Conv2d):
        height, width = inner.kernel_size
        # snnTorch gives its recurrent convolution half the kernel on each side
        half = (height // 2, width // 2)
        ours = Conv2d(inner.in_channels, inner.out_channels, (height, width), padding=half, bias=False)
        weight = inner.weight
    else:
        v, channels = inner.V.detach(), shape[0]
        per_channel = v.numel() == 1 or (len(shape) > 1 and v.numel() == v.shape[-len(shape)] == channels)
        if len(shape) == 1:
            ours, weight = Dense(channels, channels, bias=False), torch.diag(v.reshape(-1).expand(channels))
        elif per_channel and (v.numel() == 1 or v.dim() >= len(shape)):
            ours = Conv2d(channels, channels, 1, groups=channels, bias=False)
            weight = v.reshape(-1).expand(channels).reshape(channels, 1, 1, 1)
        else:
            raise CannotTranslate(
                f"V of shape {list(v.shape)} for neurons {list(shape)}: one number, or one a channel, comes back over "
                f"a convolution; flatten the layer for one a neuron"
            )
    ours.weight = nn.Parameter(weight.detach().clone())
    return ours, None if getattr(inner, "bias", None) is None else inner.bias.detach()
