"""Networks written in Norse (1.1), with the spikes compared on the spot.

Norse steps by forward Euler and resets in the step of the spike, as ours do. Its neurons and ours:

    LIFBoxCell              v + dt / tau (x + v_leak - v)             LIF, euler, input "current"
    LIBoxCell               the same without spikes                   LI
    IAFCell, IAF            v + x, starts at v_reset                  IF, input "impulse", from its reset up
    LIFCell, LIF            the input jumps onto the current, the     CubaLIF, semi_implicit_euler, input "impulse",
                            membrane sees that, then it decays        w_in = tau_syn
    LICell, LI              the same without spikes                   CubaLI
    LIFRecurrent(Cell)      with weights, spikes of the step before   CubaLIF between Dense weights

Norse's current is noted after its decay and ours before it, so the two states differ by that factor; spikes and
membranes are the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from spikelab.io.follow import CannotTranslate, Layer
from spikelab.io.interop import Framework, Translated, import_module
from spikelab.nn import Dense, Network, Neuron

#: Norse's surrogate -> ours and its constants; alpha is what Norse calls so.
_SURROGATES: dict[str, tuple[str, dict[str, str | float]]] = {
    "super": ("fast_sigmoid", {"slope": 1.0}),
    "triangle": ("triangular", {"width": 1.0, "height": "alpha"}),
    # no gradient of theirs to be like
    "heaviside": ("arctan", {}),
}


def from_norse(
    module: nn.Module,
    input_shape: Sequence[int] | None = None,
    example_input: Tensor | None = None,
    verify: bool | Tensor = True,
    surrogate: str | None = None,
) -> Network:
    """A Norse network as one of ours, with the same spikes from the same input.

    The module may be a ``SequentialState`` or one's own class, of cells (called step by step, the state passed on) or
    of the layers that take a whole sequence, with ``Lift`` around others. Which layer feeds which is found by
    following one run; sums and flattening between layers are understood, anything else is refused.

    Layers: LIFCell, LIF, LIFRecurrentCell, LIFRecurrent, LIFBoxCell, LICell, LI, LIBoxCell, LILinearCell, IAFCell, IAF
    and Linear, Conv2d, AvgPool2d, MaxPool2d, Flatten, BatchNorm (running statistics), Dropout (left out). Each keeps
    its own ``dt``. Learned parameters keep their present values and stay fixed here.

    Args:
        module: a copy in evaluation mode is read, the module itself stays as it is.
        input_shape: of one step, without batch.
        example_input: in place of ``input_shape``: an input exactly as the module's forward expects it.
        verify: compare with the original on 200 steps of random spikes, both in float64; or on this input [T, B, ...].
        surrogate: our surrogate derivative; None takes the layer's own.

    Raises:
        CannotTranslate: lists each layer without an exact translation, and the remedy.
        SpikesDiffer: if the comparison finds a difference; names the first.
    """
    norse = package()

    def is_neuron(m: nn.Module) -> bool:
        return isinstance(
            m, norse.snn.SNNCell | norse.snn.SNN | norse.snn.SNNRecurrentCell | norse.snn.SNNRecurrent
        ) or (isinstance(m, norse.leaky_integrator.LILinearCell))

    def is_lift(m: nn.Module) -> bool:
        return isinstance(m, norse.lift.Lift)

    def translate(layer: Layer, shape: tuple[int, ...]) -> Translated:
        return _translate(norse, layer.module, surrogate)

    def unwrap(m: nn.Module) -> tuple[nn.Module, bool]:
        if not is_lift(m):
            return m, False
        inner = m.lifted_module
        assert isinstance(inner, nn.Module)
        if is_neuron(inner) or any(True for _ in inner.children()):
            raise CannotTranslate(
                "Lift is understood around a single layer without state; take the cell's sequence layer"
            )
        return inner, True

    framework = Framework(
        "norse",
        is_neuron=is_neuron,
        is_layer=lambda m: is_neuron(m) or is_lift(m),
        sees_time=lambda m: isinstance(m, norse.snn.SNN | norse.snn.SNNRecurrent) or is_lift(m),
        membrane_port=lambda m: 0,
        check=lambda m: _check(norse, m),
        translate=translate,
        in_float64=in_float64,
        membrane=readout,
        step=step,
        unwrap=unwrap,
    )
    return import_module(framework, module, input_shape, example_input, verify)


def package() -> Any:
    """Norse's folder of modules; ImportError says how to get it."""
    try:
        import norse.torch.module.lift
        import norse.torch.module.snn
    except ImportError as error:
        raise ImportError(f"Norse is not installed ({error}); pip install 'spikelab[interop]'") from error
    return norse.torch.module


def readout(layer: nn.Module, output: Any) -> Tensor:
    """What a layer gives out, without its state."""
    first = output[0] if isinstance(output, tuple) else output
    assert isinstance(first, Tensor)
    return first


def in_float64(module: nn.Module) -> None:
    """Makes a module compute in float64; parameters of neurons are tuples, and weights may be plain tensors."""
    module.double()
    for layer in module.modules():
        values: Any = getattr(layer, "p", None)
        if hasattr(values, "_replace"):
            numbers = {k: v for k, v in values._asdict().items() if isinstance(v, Tensor | int | float)}
            layer.p = values._replace(**{k: torch.as_tensor(v).detach().double() for k, v in numbers.items()})
        for name in ("input_weights", "recurrent_weights"):
            if isinstance(getattr(layer, name, None), Tensor) and name not in layer._parameters:
                setattr(layer, name, getattr(layer, name).double())


def step(module: nn.Module, x: Tensor, state: Any) -> tuple[Any, ...]:
    """Calls a module once with the states that it gave out before, None at first."""
    taken = list(inspect.signature(module.forward).parameters.values())
    wanted = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in taken) - 1
    result = module(x, *(state if state is not None else [None] * wanted))
    given = tuple(result[1:]) if isinstance(result, tuple) else ()
    return given if len(given) == wanted else ()


def _check(norse: Any, layer: Any) -> None:
    kind = type(layer).__name__
    known = _steps(norse)
    if not type(layer).__module__.startswith("norse.") or not (
        kind == "LILinearCell" or getattr(layer, "activation", None) in known
    ):
        names = (
            "LIFCell, LIF, LIFRecurrentCell, LIFRecurrent, LIFBoxCell, LICell, LI, LIBoxCell, LILinearCell, IAFCell "
            "and IAF"
        )
        method = " with method 'adjoint'" if getattr(layer.p, "method", "") == "adjoint" else ""
        raise CannotTranslate(f"{kind}{method} is not translated; use one of {names}")
    for name in ("tau_mem_inv", "tau_syn_inv"):
        rate = getattr(layer.p, name, None)
        if rate is not None and not bool((torch.as_tensor(rate) > 0).all()):
            raise CannotTranslate(f"{name} = {rate} must be > 0; a neuron that keeps everything is an IAFCell")


def _steps(norse: Any) -> dict[Any, str]:
    """Norse's step functions -> the neuron of ours."""
    return {
        norse.lif.lif_feed_forward_step: "cuba_lif",
        norse.lif.lif_step: "cuba_lif",
        norse.lif_box.lif_box_feed_forward_step: "lif",
        norse.leaky_integrator.li_feed_forward_step: "cuba_li",
        norse.leaky_integrator_box.li_box_feed_forward_step: "li",
        norse.iaf.iaf_feed_forward_step: "if",
    }


def _translate(norse: Any, layer: Any, surrogate: str | None) -> Translated:
    linear = type(layer).__name__ == "LILinearCell"
    name = "cuba_li" if linear else _steps(norse)[layer.activation]
    p = layer.p
    options: dict[str, Any] = {"dt": float(layer.dt)}
    if name in ("lif", "cuba_lif", "if"):
        options |= _spiking(layer, surrogate)
    if name == "if":
        # it starts where it resets to; seen from there it starts at zero and resets to zero
        threshold = _number(p.v_th) - _number(p.v_reset)
        neuron = Neuron("if", **options | {"reset": "zero"}, input_form="impulse", r=1.0, v_threshold=threshold)
        return Translated({"": neuron})
    options["tau_mem"] = 1 / _number(p.tau_mem_inv)
    options["v_leak"] = _number(p.v_leak)
    if name in ("lif", "cuba_lif"):
        options["v_threshold"], options["v_reset"] = _number(p.v_th), _number(p.v_reset)
    if name in ("lif", "li"):
        return Translated({"": Neuron(name, method="euler", **options)}, real=name == "li")
    tau_syn = 1 / _number(p.tau_syn_inv)
    options |= {"tau_syn": tau_syn, "w_in": tau_syn, "input_form": "impulse", "method": "semi_implicit_euler"}
    nodes: dict[str, nn.Module] = {"": Neuron(name, **options)}
    if not hasattr(layer, "input_weights"):
        return Translated(nodes, real=name == "cuba_li")
    edges = [("_input", "")]
    nodes = {"_input": _dense(layer.input_weights), **nodes}
    if hasattr(layer, "recurrent_weights"):
        nodes["_recurrent"] = _dense(layer.recurrent_weights)
        edges += [("", "_recurrent"), ("_recurrent", "")]
    return Translated(nodes, edges, entry="_input", real=name == "cuba_li")


def _number(value: Any) -> Tensor:
    return torch.as_tensor(value).detach().double()


def _spiking(layer: Any, surrogate: str | None) -> dict[str, Any]:
    p = layer.p
    reset = getattr(getattr(p, "reset_method", None), "__name__", "reset_value")
    own = getattr(getattr(p, "reset_method", None), "__module__", "norse.torch.functional.reset")
    if reset not in ("reset_value", "reset_subtract") or own != "norse.torch.functional.reset":
        raise CannotTranslate(f"reset_method {reset!r} is not Norse's own; use reset_value or reset_subtract")
    # Norse cuts the gradient of the reset in its recurrent step only
    options = {"reset": reset.removeprefix("reset_"), "detach_reset": hasattr(layer, "recurrent_weights")}
    if surrogate is not None:
        return options | {"surrogate": surrogate}
    if p.method not in _SURROGATES:
        raise CannotTranslate(
            f"its surrogate {p.method!r} has no counterpart; pass surrogate='arctan' (spikes do not depend on it)"
        )
    ours, constants = _SURROGATES[p.method]
    filled = {k: float(getattr(p, v)) if isinstance(v, str) else v for k, v in constants.items()}
    return options | {"surrogate": ours, "surrogate_parameters": filled}


def _dense(weights: Tensor) -> Dense:
    made = Dense(weights.shape[1], weights.shape[0], bias=False)
    made.weight = nn.Parameter(weights.detach().clone())
    return made
