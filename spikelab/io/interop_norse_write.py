"""From a network of ours to Norse, with the spikes compared on the spot.

Norse's membrane gains dt / tau of its input, so with v = s u, where s is what our neuron gains beyond that, the same
neuron is Norse's u with thresholds, resets and leaks divided by s.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from spikelab.io.follow import CannotTranslate
from spikelab.io.interop import copied
from spikelab.io.interop_chain import Link, Made, assemble, verify_export
from spikelab.io.interop_norse_read import in_float64, package, readout, step
from spikelab.io.step_constants import LinearStep, linear_step, one_if_equal
from spikelab.nn import Dense, Network, Neuron


def to_norse(
    network: Network,
    input_shape: tuple[int, ...],
    verify: bool | Tensor = True,
    method: str = "super",
) -> nn.Module:
    """A chain of layers as a Norse ``SequentialState`` of cells with the same spikes.

    Translated are IF, LIF and current-based LIF (stepped by "semi_implicit_euler"), the last also with spikes that come
    back through Dense weights without bias, LI and current-based LI as the last layer, and the layers between them.
    Call the result on one step [B, ...] after the other and pass its state on. Time constants and thresholds are kept
    in float64.

    Args:
        network: a chain; branches and sums have no counterpart.
        input_shape: of one step, without batch.
        verify: compare on 200 steps of random spikes, both in float64; or on this input [T, B, ...].
        method: Norse's surrogate for all layers: it has few of ours, and spikes do not depend on it.

    Raises:
        CannotTranslate: lists each node without an exact counterpart, and the remedy.
        SpikesDiffer: if the comparison finds a difference; names the first.
    """
    norse = package()

    def make(link: Link, before: Link | None) -> Made:
        return _make(norse, link, before, method)

    layers = assemble(network, "norse", make)
    module = norse.sequential.SequentialState(*layers.values()).eval()
    if verify is not False:
        named = dict(zip(layers, module.children(), strict=True))
        verify_export(network, module, named, "norse", tuple(input_shape), verify, in_float64, _run, readout, copied)
    return module


def _run(module: nn.Module, x: Tensor) -> None:
    state: Any = None
    for now in x.unbind(0):
        state = step(module, now, state)


def _make(norse: Any, link: Link, before: Link | None, method: str) -> Made:
    layer = link.module
    assert isinstance(layer, Neuron)
    name = layer.spec.name
    if name not in ("if", "lif", "cuba_lif", "li", "cuba_li"):
        raise CannotTranslate(f"no translation of the {layer.spec.title.lower()} to Norse; use LIF or CubaLIF")
    if layer.refractory > 1.5 * layer.dt:
        raise CannotTranslate(
            f"these cells of Norse have no refractory time (here {layer.refractory:g} s); set refractory=0"
        )
    if link.recurrent is not None and name != "cuba_lif":
        raise CannotTranslate("Norse's recurrent cell is current-based; use CubaLIF with method='semi_implicit_euler'")
    numbers = linear_step(layer)
    if numbers.from_old_current:
        raise CannotTranslate(
            f"stepped by {layer.options.method!r} with input {layer.options.input_form!r}, its membrane does not "
            f"follow the new current alone, as Norse's does; use method='semi_implicit_euler'"
        )
    values = {key: value.detach() for key, value in layer.parameter_values().items()}
    if layer.options.reset == "zero":
        values["v_reset"] = torch.zeros_like(values["v_threshold"])
    if name == "if":
        return Made(_integrate_and_fire(norse, layer, numbers, values, method))
    if bool((numbers.keep >= 1).all()):
        raise CannotTranslate("its membrane keeps everything, and Norse's input gain dt / tau would be zero; use an IF")
    scale = numbers.gain / (1 - numbers.keep)
    if numbers.gain_current is not None:
        scale = scale * numbers.gain_current
    # two roundings away from one is one, and leaves the other parameters as they are
    scale = torch.where((scale - 1).abs() < 1e-14, torch.ones_like(scale), scale)
    if bool((scale <= 0).any()):
        raise CannotTranslate("its gain from input to membrane is not positive; give the sign to the weights")
    options: dict[str, Any] = {"tau_mem_inv": (1 - numbers.keep) / layer.dt}
    if numbers.keep_current is not None:
        options["tau_syn_inv"] = (1 - numbers.keep_current) / layer.dt
    if not layer.spec.spikes:
        # the weights before it take the scale up, so that the membrane given out is ours
        options["v_leak"] = values["v_leak"]
        file = norse.leaky_integrator_box if name == "li" else norse.leaky_integrator
        kinds = (file.LIBoxCell, file.LIBoxParameters) if name == "li" else (file.LICell, file.LIParameters)
        return Made(kinds[0](kinds[1](**_tensors(options)), dt=layer.dt), scale=scale)
    options |= {f"v_{short}": values[f"v_{long}"] / scale for short, long in _SHORT.items()}
    options["method"] = method
    if name == "lif":
        from norse.torch.functional.reset import reset_subtract, reset_value

        options["reset_method"] = reset_subtract if layer.options.reset == "subtract" else reset_value
        return Made(norse.lif_box.LIFBoxCell(norse.lif_box.LIFBoxParameters(**_tensors(options)), dt=layer.dt))
    if layer.options.reset == "subtract":
        raise CannotTranslate("Norse's current-based LIF resets to a value only; use reset='value' or 'zero'")
    parameters = norse.lif.LIFParameters(**_tensors(options))
    if link.recurrent is None:
        return Made(norse.lif.LIFCell(parameters, dt=layer.dt))
    return _recurrent(norse, link.recurrent, before, parameters, layer.dt)


_SHORT = {"th": "threshold", "reset": "reset", "leak": "leak"}


def _tensors(options: dict[str, Any]) -> dict[str, Any]:
    return {k: one_if_equal(v.double()).clone() if isinstance(v, Tensor) else v for k, v in options.items()}


def _integrate_and_fire(
    norse: Any, layer: Neuron, numbers: LinearStep, values: dict[str, Tensor], method: str
) -> nn.Module:
    if layer.options.reset == "subtract":
        raise CannotTranslate("Norse's IAFCell resets to a value only; use reset='zero'")
    if bool((values["v_reset"] != 0).any()):
        raise CannotTranslate("Norse's IAFCell starts where it resets to, ours at zero; use reset='zero'")
    if bool((numbers.gain <= 0).any()):
        raise CannotTranslate("its gain from input to membrane is not positive; give the sign to the weights")
    threshold = values["v_threshold"] / numbers.gain
    parameters = {"v_th": threshold, "v_reset": values["v_reset"], "method": method}
    return norse.iaf.IAFCell(norse.iaf.IAFParameters(**_tensors(parameters)), dt=layer.dt)


def _recurrent(norse: Any, weights: nn.Module, before: Link | None, parameters: Any, dt: float) -> Made:
    if not isinstance(weights, Dense):
        raise CannotTranslate("spikes come back through a convolution; Norse's recurrent cell has dense weights only")
    if weights.bias is not None and bool((weights.bias != 0).any()):
        raise CannotTranslate("its recurrent weights have a bias, which Norse's have not; use bias=False")
    own = before is not None and isinstance(before.module, Dense) and before.module.bias is None
    size = weights.in_features
    if own:
        assert before is not None
        assert isinstance(before.module, Dense)
        inner = before.module.weight.detach().clone()
    else:
        inner = torch.eye(size, dtype=weights.weight.dtype)
    cell = norse.lif.LIFRecurrentCell(
        inner.shape[1], size, parameters, autapses=True, dt=dt, input_weights=nn.Parameter(inner),
        recurrent_weights=nn.Parameter(weights.weight.detach().clone()),
    )  # fmt: skip
    return Made(cell, takes_weights=own)
