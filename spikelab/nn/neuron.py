"""A layer of neurons: a spec made trainable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from spikelab.kernels.choose import BACKENDS, KEPT_PRECISIONS, Packed, choose_backend, pack, run_neuron
from spikelab.kernels.coefficients import programs
from spikelab.kernels.reference import step_function
from spikelab.kernels.sparse.support import Support, attach
from spikelab.neurons import spec as specs
from spikelab.neurons.step import Step, StepOptions, build_step, find_neuron, neuron_name
from spikelab.neurons.surrogate import SURROGATES, Surrogate, surrogate
from spikelab.nn.checks import require_finite
from spikelab.nn.remembered import Remembered, times_written
from spikelab.nn.state import Stateful

#: The state of one layer: state name -> [B, ...].
NeuronState = dict[str, Tensor]
_HALF = (torch.float16, torch.bfloat16)
#: Before the name of a positive learned parameter: its logarithm is trained, so that it stays positive and its scale
#: does not matter.
_LOGARITHM = "log_"


class Neuron(Stateful):
    """A layer of neurons, run over time in one call.

    ``spikes, state = layer(x, state)`` takes x [T, B, ...] and the state of the step before (None for a fresh one), and
    gives the output [T, B, ...] (spikes, or the membrane of a readout) and the state after the last step, a dict of
    [B, ...]. Passing the state on continues the sequence exactly.

    Args:
        neuron: registry name, such as "lif", or a ``NeuronSpec`` of your own.
        dt: length of a time step in seconds.
        method: discretisation: "exact", "exponential_euler", "euler", "semi_implicit_euler", "half_step_euler" or
            "runge_kutta_4"; "" for the neuron's own.
        input_form: "current": x is constant over a step. "impulse": x is its integral over the step, delivered at once.
        reset: "zero", "value" or "subtract", as far as the neuron has it; "" for the neuron's own.
        refractory: seconds between a spike and the first step that moves the membrane again, rounded to whole steps.
            A neuron that spikes at one step moves at the next anyway, so up to 1.5 ``dt`` changes nothing.
        surrogate: name, ``Surrogate``, or an expression in ``x``.
        surrogate_parameters: constants of the surrogate.
        detach_reset: pass no gradient from the reset back to the spike.
        learnable: names of parameters to train; positive ones are trained on a logarithmic scale.
        backend: "auto", "numba" (fused CPU kernels), "triton" (fused CUDA kernels) or "reference" (torch loop).
        recompute: keep fewer states for the backward pass and compute the others again; less memory, and a somewhat
            slower backward pass. On the CPU those before every 64th step in place of every 16th (32nd of long
            sequences), where a leaky neuron's are 1.6 in place of 6 % of its input. On CUDA devices those before every
            few steps, and the input, in place of what the derivatives need. Nothing changes for "reference".
        kept_precision: of what "triton" keeps for the backward pass of a float16 or bfloat16 input. "input": two bytes
            a value, if the neuron is linear between its spikes. "state": four bytes; gradients are then as exact as the
            states, which are float32 either way.
        **parameters: values in SI units: a number for all neurons, or a tensor that broadcasts to the neurons' shape.

    Raises:
        ValueError: for an unknown name or a value outside its bounds; the message names it and the remedy.
    """

    def __init__(
        self,
        neuron: str | specs.NeuronSpec,
        *,
        dt: float = 1e-3,
        method: str = "",
        input_form: str = "current",
        reset: str = "",
        refractory: float = 0.0,
        surrogate: str | Surrogate = "arctan",
        surrogate_parameters: Mapping[str, float] | None = None,
        detach_reset: bool = False,
        learnable: Iterable[str] = (),
        backend: str = "auto",
        recompute: bool = False,
        kept_precision: str = "input",
        **parameters: float | Tensor,
    ):
        super().__init__()
        self.spec = find_neuron(neuron)
        if not 0 < dt < float("inf"):
            raise ValueError(f"{self.spec.name}: dt = {dt!r} s must be a positive length of a step in seconds")
        if not 0 <= refractory < float("inf"):
            raise ValueError(f"{self.spec.name}: refractory = {refractory!r} s must be zero or a positive time")
        if not self.spec.spikes and (reset or refractory > 0):
            what = f"reset {reset!r}" if reset else "refractory time"
            raise ValueError(f"{self.spec.name} does not spike, so it has no {what}")
        if backend not in BACKENDS:
            raise ValueError(f"{self.spec.name}: unknown backend {backend!r}; known are {', '.join(BACKENDS)}")
        if kept_precision not in KEPT_PRECISIONS:
            raise ValueError(
                f"{self.spec.name}: unknown kept_precision {kept_precision!r}; known are {', '.join(KEPT_PRECISIONS)}"
            )
        if not isinstance(recompute, bool):
            raise TypeError(f"{self.spec.name}: recompute = {recompute!r} must be True or False")
        self.dt, self.refractory = float(dt), float(refractory)
        self.backend, self.recompute, self.kept_precision = backend, recompute, kept_precision
        self.options = StepOptions(
            neuron_name(self.spec),
            method=method or self.spec.default_method,
            input_form=input_form,
            reset=reset or (self.spec.default_reset if self.spec.spikes else ""),
            refractory=refractory > 0,
            detach_reset=detach_reset,
            **_surrogate_options(surrogate, surrogate_parameters or {}),
        )
        self.step = build_step(self.options)
        self._programs = programs(self.step)
        self._set_parameters(parameters, {learnable} if isinstance(learnable, str) else set(learnable))
        self._key = self.options.key()
        step_function(self.step, self._key)
        self._cached: Remembered | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        # in another process, kernels must find one's own neuron by its name, and a compiler the step's function
        neuron_name(self.spec)
        step_function(self.step, self._key)

    def _set_parameters(self, given: Mapping[str, float | Tensor], learnable: set[str]) -> None:
        names = self.spec.parameter_names
        for what, unknown in (("parameter", set(given) - set(names)), ("learnable parameter", learnable - set(names))):
            if unknown:
                raise ValueError(
                    f"{self.spec.name} has no {what} {', '.join(sorted(unknown))}; it has {', '.join(names)}"
                )
        for parameter in self.spec.parameters:
            value = _number(given.get(parameter.name, parameter.default), f"{self.spec.name}: {parameter.name}").clone()
            for number in value.reshape(-1).tolist():
                parameter.check(number, self.spec.name)
            if parameter.name not in learnable:
                self.register_buffer(parameter.name, value)
                continue
            if not parameter.learnable:
                raise ValueError(f"{self.spec.name}: {parameter.name} cannot be learned ({parameter.meaning})")
            name, stored = (_LOGARITHM + parameter.name, value.log()) if parameter.positive else (parameter.name, value)
            self.register_parameter(name, nn.Parameter(stored.to(torch.get_default_dtype())))

    def __getattr__(self, name: str) -> Any:
        logarithm = self.__dict__.get("_parameters", {}).get(_LOGARITHM + name)
        return super().__getattr__(name) if logarithm is None else logarithm.exp()

    def __setattr__(self, name: str, value: Any) -> None:
        """Gives a parameter another value, within its bounds; a learned one goes on being learned from there."""
        declared = {p.name: p for p in self.spec.parameters} if "spec" in self.__dict__ else {}
        if name not in declared or isinstance(value, nn.Parameter):
            super().__setattr__(name, value)
            return
        given = _number(value, f"{self.spec.name}: {name}")
        for number in given.reshape(-1).tolist():
            declared[name].check(number, self.spec.name)
        if name in self._buffers:
            # what another module computes keeps its gradient
            self._buffers[name] = (value if isinstance(value, Tensor) else given).to(self._buffers[name])
            return
        logarithm = self._parameters.get(_LOGARITHM + name)
        stored = self._parameters[name] if logarithm is None else logarithm
        assert stored is not None
        with torch.no_grad():
            stored.copy_(given if logarithm is None else given.log())

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        # what was fixed when it was saved may be learned now, and the other way round
        for parameter in self.spec.parameters:
            plain, logarithm = prefix + parameter.name, prefix + _LOGARITHM + parameter.name
            if _LOGARITHM + parameter.name in self._parameters and plain in state:
                state[logarithm] = state.pop(plain).log()
            elif parameter.name in self._buffers and logarithm in state:
                state[plain] = state.pop(logarithm).exp()
        super()._load_from_state_dict(state, prefix, *rest)

    def extra_repr(self) -> str:
        """The choices that matter, on one line."""
        values = []
        for name in self.spec.parameter_names:
            value = getattr(self, name)
            values.append(f"{name}={value.item():g}" if value.numel() == 1 else f"{name}={list(value.shape)}")
        options = self.options
        chosen = [self.spec.name, f"dt={self.dt:g}", f"method={options.method}"]
        if self.spec.spikes:
            chosen += [f"reset={options.reset}", f"surrogate={options.surrogate_expression or options.surrogate}"]
            chosen += [f"refractory={self.refractory:g}"] if self.refractory else []
            chosen += ["detach_reset"] if options.detach_reset else []
        chosen += ["input_form=impulse"] if options.input_form == "impulse" else []
        return ", ".join([*chosen, *values])

    def parameter_values(self) -> dict[str, Tensor]:
        """Every parameter in SI units, learned ones included."""
        return {name: self._value(name) for name in self.spec.parameter_names}

    def _value(self, name: str) -> Tensor:
        logarithm = self._parameters.get(_LOGARITHM + name)
        if logarithm is not None:
            return logarithm.exp()
        value: Tensor = getattr(self, name)
        return value

    def initial_state(self, x: Tensor) -> NeuronState:
        """A fresh state for input x [T, B, ...]."""
        return dict(zip(self.step.states, self._fresh_state(x), strict=True))

    def _fresh_state(self, x: Tensor) -> list[Tensor]:
        try:
            return self._programs.initial_state(self.parameter_values(), x.shape[1:], x)
        except RuntimeError:
            self._require_broadcast(x.shape[1:])
            raise

    def _recall(self, x: Tensor, key: str) -> Remembered | None:
        """What follows from the parameters; None while they are learned, or traced by a compiler."""
        # walking over submodules costs as much as a small layer's kernel, and usually there are none
        tensors = [t for t in (*self._parameters.values(), *self._buffers.values()) if t is not None]
        if self._modules:
            tensors = [*self.parameters(), *self.buffers()]
        learned = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
        if learned or torch.compiler.is_compiling():
            return None
        form = (key, x.shape[1:], x.dtype, x.device)
        if self._cached is None or not self._cached.serves(form, tensors):
            # ordinary tensors even under inference mode: a training step may come next
            with torch.inference_mode(False), torch.no_grad():
                written = [(t, t.detach(), times_written(t)) for t in tensors]
                self._cached = Remembered(form, written, self._compute_coefficients(x, key), self._resting(x))
        return self._cached

    def _resting(self, x: Tensor) -> list[float | Tensor]:
        values = self.parameter_values()
        if any(value.numel() > 1 for value in values.values()):
            return list(self._fresh_state(x))
        return [value.item() for value in self._programs.initial_state(values, torch.Size([]), x)]

    def _compute_coefficients(self, x: Tensor, key: str) -> Packed:
        values = self._programs.coefficients(self.parameter_values(), self.dt, self.refractory)
        try:
            return pack(key, list(values.values()), x)
        except RuntimeError:
            self._require_broadcast(x.shape[1:])
            raise

    def _require_broadcast(self, shape: torch.Size) -> None:
        """Names the parameter that does not fit neurons of this shape."""
        for name, value in self.parameter_values().items():
            try:
                fits = torch.broadcast_shapes(value.shape, shape) == shape
            except RuntimeError:
                fits = False
            if not fits:
                raise ValueError(
                    f"{self.spec.name}: {name} has shape {list(value.shape)}, which does not broadcast to the shape of "
                    f"the input's steps, {list(shape)}"
                )

    def forward(self, x: Tensor, state: NeuronState | None = None) -> tuple[Tensor, NeuronState]:
        """Runs over x [T, B, ...]; returns output [T, B, ...] and the state after the last step."""
        outputs, final = self._run(x, state, self.step, self._key)
        require_finite(outputs[0], type(self).__name__, "output")
        return outputs[0].to(x.dtype), dict(zip(self.step.states, final, strict=True))

    def trace(self, x: Tensor, state: NeuronState | None = None) -> dict[str, Tensor]:
        """Everything that happens at each step, for looking at: the output and every state, each [T, B, ...].

        A state's value is that at the end of the step, after the reset.
        """
        names = tuple(self.spec.state_names)
        options = replace(self.options, record=names)
        outputs, _ = self._run(x, state, build_step(options), options.key())
        return dict(zip(("spike" if self.spec.spikes else "output", *names), outputs, strict=True))

    def _run(self, x: Tensor, state: NeuronState | None, step: Step, key: str) -> tuple[list[Tensor], list[Tensor]]:
        if not isinstance(x, Tensor):
            raise TypeError(f"{self.spec.name}: input is a {type(x).__name__}; give a torch tensor (torch.as_tensor)")
        if x.dim() < 2:
            raise ValueError(f"{self.spec.name}: input has shape {list(x.shape)}, but must be [T, B, ...], time first")
        if not x.dtype.is_floating_point:
            raise TypeError(f"{self.spec.name}: input is {x.dtype}; convert it to float32")
        backend = choose_backend(self.backend, x.device)
        # a membrane integrates small steps over long times: half precision would lose them
        like = x
        if x.dtype in _HALF and backend == "triton":
            # of half precision is only what the kernels read and write
            like = x.new_empty((), dtype=torch.float32).expand(x.shape)
        elif x.dtype not in (torch.float32, torch.float64):
            like = x = x.float()
        require_finite(x, type(self).__name__, "input")
        remembered = self._recall(like, key)
        packed = self._compute_coefficients(like, key) if remembered is None else remembered.packed
        if state is not None:
            values = self._check_state(like, state)
        elif remembered is None:
            values = self._fresh_state(like)
        else:
            values = remembered.seen_state(like) if backend == "triton" else remembered.fresh_state(like)
        outputs, final = run_neuron(step, x, values, packed, backend, self.recompute, self.kept_precision)
        # that needs the input once more, which must be kept for the backward pass anyway
        keeps_input = backend == "numba" or (backend == "triton" and self.recompute)
        if step.surrogate.finite_support and keeps_input and outputs[0].requires_grad:
            self._tell_support(outputs[0], x, values, packed, backend)
        return outputs, final

    def _tell_support(self, spikes: Tensor, x: Tensor, state: list[Tensor], packed: Packed, backend: str) -> None:
        """Lets the product that follows compute its input's gradient only where the surrogate passes it on."""
        if self.spec.spikes and not torch.compiler.is_compiling():
            start = tuple(s.detach() for s in state)
            attach(spikes, Support(self.options, x.detach(), start, packed.detached(), backend, spikes._version))

    def _check_state(self, x: Tensor, state: NeuronState) -> list[Tensor]:
        if not isinstance(state, Mapping):
            raise TypeError(f"{self.spec.name}: the state is a {type(state).__name__}; pass on what the layer gave out")
        missing = set(self.step.states) - set(state)
        if missing:
            raise ValueError(f"{self.spec.name}: the state lacks {', '.join(sorted(missing))}")
        unknown = set(state) - set(self.step.states)
        if unknown:
            raise ValueError(
                f"{self.spec.name}: the state has unknown {', '.join(map(repr, sorted(unknown)))}; "
                f"this layer's are {', '.join(self.step.states)}"
            )
        for name in self.step.states:
            if state[name].shape != x.shape[1:]:
                raise ValueError(
                    f"{self.spec.name}: state {name!r} has shape {list(state[name].shape)}, the input's steps have "
                    f"{list(x.shape[1:])}; pass None to start a new sequence"
                )
        return [state[name].to(x.dtype) for name in self.step.states]


def _surrogate_options(choice: str | Surrogate, parameters: Mapping[str, float]) -> dict[str, Any]:
    found = surrogate(choice, **parameters)
    own = found.name not in SURROGATES or SURROGATES[found.name].derivative != found.derivative
    return {
        "surrogate": found.name,
        "surrogate_expression": found.derivative if own else "",
        "surrogate_parameters": tuple(sorted(found.parameters.items())),
    }


def _number(value: Any, where: str) -> Tensor:
    try:
        return torch.as_tensor(value, dtype=torch.float64).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{where} = {value!r} is neither a number nor a tensor; give it in SI units") from error
