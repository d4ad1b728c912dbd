"""Problems on which back ends are compared, found by search so that every registered neuron takes part unasked."""

from __future__ import annotations

import ctypes
import functools
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numba
import numpy as np
import pytest
import sympy as sp
import torch
from torch import Tensor

from spikelab.kernels import choose, coefficients, numba_cpu, operator, reference
from spikelab.kernels.emit import Lines, Printer
from spikelab.neurons.spec import INPUT, NeuronSpec
from spikelab.neurons.step import REFRACTORY_LEFT, StepOptions, build_step, find_neuron

DT = 0.5e-3
REFRACTORY_STEPS = 2
CANDIDATES = 6000


@dataclass(frozen=True)
class Problem:
    """Input, state and parameters at which a neuron spikes now and then.

    Attributes:
        x: input [T, B, N].
        state: state name -> [B, N]; with the refractory counter.
        parameters: parameter name -> [] or [N].
    """

    x: Tensor
    state: dict[str, Tensor]
    parameters: dict[str, Tensor]

    def to(self, dtype: torch.dtype, device: torch.device | str = "cpu") -> Problem:
        parameters = {name: value.to(device) for name, value in self.parameters.items()}
        return Problem(self.x.to(device, dtype), {k: v.to(device, dtype) for k, v in self.state.items()}, parameters)

    def tiled(self, times: int) -> Problem:
        """The same neurons many times over; parameters must be shared."""
        state = {name: value.repeat(1, times) for name, value in self.state.items()}
        return Problem(self.x.repeat(1, 1, times), state, self.parameters)


@dataclass(frozen=True)
class Solution:
    """Outputs, final state, and the gradients of a random functional of both."""

    outputs: list[Tensor]
    final: list[Tensor]
    gradients: dict[str, Tensor]


@functools.lru_cache(maxsize=64)
def step_length(neuron: str) -> float:
    """Seconds: ``DT``, or less for a neuron so fast that explicit methods would blow up."""
    spec = find_neuron(neuron)
    values = {spec.symbols[p.name]: sp.Float(p.default) for p in spec.parameters}
    at_rest = {spec.symbols[s.name]: spec.expression(s.initial, s.name).subs(values) for s in spec.states}
    states = [spec.symbols[name] for name in spec.state_names]
    slopes = sp.Matrix([spec.expression(s.derivative, s.name).subs(values).subs(INPUT, 0) for s in spec.states])
    # by differences: the derivatives of some functions are written for code, not for SymPy
    rates = sp.lambdify(states, slopes)
    rest = np.array([float(at_rest[state]) for state in states])
    shift = 1e-6 * max(np.abs(rest).max(), 1e-3)
    columns = [
        (rates(*(rest + shift * e)) - rates(*(rest - shift * e))).ravel() / (2 * shift) for e in np.eye(len(rest))
    ]
    fastest = float(np.abs(np.linalg.eigvals(np.array(columns, dtype=float))).max())
    return min(DT, 0.2 / fastest) if fastest else DT


def _size(spec: NeuronSpec, name: str, resting: Tensor) -> float:
    """The size of numbers that a state usually has."""
    values = {spec.symbols[p.name]: p.default for p in spec.parameters}
    values.update({spec.symbols[n]: 0 for n in spec.state_names})
    sizes = [float(resting.abs().mean())]
    after = next(state.after_spike for state in spec.states if state.name == name)
    if after is not None:
        sizes.append(abs(float(spec.expression(after, name).subs(values))))
    if name == spec.membrane and spec.gate is not None:
        sizes.append(abs(float(spec.expression(spec.gate, "gate").subs(values))))
    if next(state.unit for state in spec.states if state.name == name) == "1":
        sizes.append(1.0)
    return max(sizes)


@functools.lru_cache(maxsize=64)
def _search(base: StepOptions, per_neuron: bool, steps: int, batch: int, neurons: int) -> Problem:
    """Draws many inputs, states and parameters, and keeps the neurons that come close to threshold most often."""
    step = build_step(replace(base, record=find_neuron(base.neuron).state_names))
    spec = step.spec
    random = np.random.default_rng(7)

    def near(value: float, size: tuple[int, ...]) -> np.ndarray:
        return value * (1 + 0.1 * random.uniform(-1, 1, size)) + (value == 0) * 0.1 * random.uniform(-1, 1, size)

    shape = (batch, CANDIDATES)
    parameters = {
        p.name: torch.as_tensor(near(p.default, (CANDIDATES,) if per_neuron else ())) for p in spec.parameters
    }
    resting = coefficients.initial_state(step, parameters, torch.Size(shape), torch.empty(0, dtype=torch.float64))
    sizes = [_size(spec, name, resting[k]) for k, name in enumerate(spec.state_names)]
    gain = 10 ** random.uniform(-13, 4, CANDIDATES)
    x = torch.as_tensor(gain * random.normal(1, 1, (steps, *shape)))
    state = [
        value + 0.1 * size * torch.as_tensor(random.normal(size=shape))
        for size, value in zip(sizes, resting, strict=False)
    ]
    gate = spec.expression(spec.gate, "gate") if spec.gate is not None else None
    names = [*spec.state_names, *spec.parameter_names]
    if gate is not None:
        membrane = spec.symbols[spec.membrane]
        (threshold,) = sp.solve(gate, membrane)
        at_threshold = sp.lambdify([spec.symbols[n] for n in names], threshold)(*state, *parameters.values())
        k = spec.state_names.index(spec.membrane)
        state[k] = state[k] + (at_threshold - state[k]) * torch.as_tensor(random.uniform(0, 0.95, shape))
    values = list(coefficients.coefficients(step, parameters, step_length(base.neuron)).values())
    outputs, _ = reference.run(step, x, state, values)
    traces = torch.stack(outputs[1:])
    # neither so small that an input does nothing, nor so large that everything else is lost in rounding
    tame = traces.isfinite().all(0).all(0).all(0) & torch.stack(
        [(trace.abs() < 100 * size).all(0).all(0) for size, trace in zip(sizes, traces, strict=True)]
    ).all(0)
    score = tame.double()
    if gate is not None:
        scale = spec.expression(spec.gate_scale, "gate_scale")
        distance = sp.lambdify([spec.symbols[n] for n in names], gate / scale)(*traces, *parameters.values())
        spikes = outputs[0] > 0
        rate = spikes.double().mean((0, 1))
        score = score * (rate > 0) * (rate < 0.6) * (1 + ((distance.abs() < 1) & ~spikes).double().mean((0, 1)))
    else:
        score = score * (torch.as_tensor(gain) > 1e-3)
    chosen = score.topk(neurons).indices
    assert (score[chosen] > 0).all(), f"{spec.name}: no input found at which it spikes now and then"
    kept = {name: value[chosen] if per_neuron else value for name, value in parameters.items()}
    found = {name: value[:, chosen] for name, value in zip(spec.state_names, state, strict=True)}
    # the first row starts free, the others anywhere within a refractory time
    found[REFRACTORY_LEFT] = torch.as_tensor(random.integers(0, 3, (batch, neurons))).double()
    found[REFRACTORY_LEFT][0] = 0
    return Problem(x[:, :, chosen].contiguous(), found, kept)


def solve(
    problem: Problem,
    options: StepOptions,
    backend: str,
    *,
    recompute: bool = False,
    learn: bool = True,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> Solution:
    """Runs a problem, forward and backward, through the same door as every layer; what comes back is on the CPU."""
    problem = problem.to(dtype, device)
    step = build_step(options)
    x = problem.x.clone().requires_grad_()
    state = {name: problem.state[name].clone().requires_grad_() for name in step.states}
    parameters = {name: value.clone().requires_grad_(learn) for name, value in problem.parameters.items()}
    dt = step_length(options.neuron)
    values = coefficients.coefficients(step, parameters, dt, REFRACTORY_STEPS * dt if options.refractory else 0.0)
    packed = choose.pack(options.key(), list(values.values()), x)
    outputs, final = choose.run_neuron(step, x, list(state.values()), packed, backend, recompute)
    random = torch.Generator().manual_seed(3)
    loss = x.new_zeros(())
    for value in (*outputs, *final):
        weight = torch.randn(value.shape, generator=random, dtype=torch.float64).to(device, dtype)
        # every state counts, whatever its unit
        largest = value.detach().abs().max() if value.numel() else 0
        loss = loss + (weight * value).sum() / (largest or 1)
    leaves = {"x": x, **state, **(parameters if learn else {})}
    gradients = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True)
    return Solution(
        [value.detach().cpu() for value in outputs],
        [value.detach().cpu() for value in final],
        dict(zip(leaves, (gradient.cpu() for gradient in gradients), strict=True)),
    )


def relative_error(value: Tensor, truth: Tensor) -> float:
    """Largest |value - truth| over |truth|; elements 1e-4 times smaller than the largest count as that large."""
    if truth.numel() == 0:
        return 0.0
    if not value.isfinite().all():
        return float("inf")
    size = truth.abs().clamp_min(1e-4 * truth.abs().max()).clamp_min(torch.finfo(truth.dtype).tiny)
    return float(((value - truth).abs() / size).max())


def compare(found: Solution, truth: Solution, spikes: bool, where: str) -> float:
    """Asserts that two float64 solutions agree; returns the largest relative error of a gradient."""
    for position, (value, true) in enumerate(zip(found.outputs, truth.outputs, strict=True)):
        assert value.shape == true.shape, where
        if position == 0 and spikes:
            assert torch.equal(value, true), f"{where}: spikes differ"
        else:
            assert relative_error(value, true) <= 1e-12, f"{where}: output {position}"
    for position, (value, true) in enumerate(zip(found.final, truth.final, strict=True)):
        assert relative_error(value, true) <= 1e-12, f"{where}: final state {position}"
    worst = 0.0
    for name, true in truth.gradients.items():
        error = relative_error(found.gradients[name], true)
        assert error <= 1e-10, f"{where}: gradient of {name} is off by {error:.2g}"
        worst = max(worst, error)
    return worst


@pytest.fixture(scope="session")
def contract() -> types.SimpleNamespace:
    """What a contract test needs: problems, a way to solve them, and the comparison."""

    def problem(options: StepOptions, per_neuron: bool, steps: int = 5, batch: int = 2, neurons: int = 3) -> Problem:
        base = StepOptions(options.neuron, options.method, options.input_form, options.reset)
        return _search(base, per_neuron, steps, batch, neurons)

    return types.SimpleNamespace(
        problem=problem,
        solve=solve,
        compare=compare,
        relative_error=relative_error,
        dt=DT,
        refractory=REFRACTORY_STEPS * DT,
        step_length=step_length,
    )


@pytest.fixture(scope="session")
def device() -> torch.device:
    """Where Triton's kernels run: on a CUDA device, or on the CPU in Triton's interpreter.

    Which of the two is chosen before Triton is imported. So without a device, tests with this fixture are skipped in
    the process that was asked to run them; test_triton_interpreter.py runs them in one with TRITON_INTERPRET=1.
    """
    pytest.importorskip("triton", reason="Triton is not installed: pip install 'spikelab[cuda]'")
    from spikelab.kernels.triton.device import INTERPRETED

    if INTERPRETED:
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    pytest.skip("no CUDA device; test_triton_interpreter.py runs this test in Triton's interpreter")


@pytest.fixture
def few_together(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Triton's kernels take two steps of time together: a short sequence has several rounds, the last uneven."""
    from spikelab.kernels import triton_cuda

    def forget() -> None:
        for remembered in (triton_cuda.kernel, triton_cuda.Kernel.source, triton_cuda.Kernel._launcher):
            remembered.cache_clear()
        operator._find_triton.cache_clear()

    monkeypatch.setattr(triton_cuda, "steps_written_out", lambda step: 2)
    forget()
    with np.errstate(all="ignore"):
        yield
    forget()


def _clear_kernel_caches() -> None:
    """Forgets built kernels, wherever they are remembered; compiled modules stay loaded."""
    for module in (numba_cpu, operator, choose):
        for holder in (module, getattr(module, "Kernel", None)):
            for value in list(vars(holder).values()) if holder is not None else ():
                if hasattr(value, "cache_clear") and getattr(value, "__module__", "") == module.__name__:
                    value.cache_clear()


def _interpreted(source: str, what: str) -> types.SimpleNamespace:
    """Runs generated source as plain Python: the very same lines, without a compiler."""
    assert "@njit(" in source, "the generated module no longer looks as this seam expects"
    assert "@cfunc(" in source, "the generated module no longer looks as this seam expects"
    space: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numba, "njit", lambda **options: lambda function: function)
        patch.setattr(numba, "cfunc", lambda *signature, **options: _CalledFromC)
        exec(compile(source, f"<{what}>", "exec"), space)
    # python's whole numbers, and functions that overflow to infinity as the compiled ones do
    space.update(INDEX=int, ONE=1, math=np)  # type: ignore[call-overload]
    return types.SimpleNamespace(**space)


class _CalledFromC:
    """A Python function with an address, as a compiled one has."""

    def __init__(self, function: Callable[[object], None]):
        self._kept = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_int64))(function)
        self.address = ctypes.cast(self._kept, ctypes.c_void_p).value


def _printed_once(make: Callable[..., Lines]) -> Callable[..., types.SimpleNamespace]:
    def made(*arguments: object) -> types.SimpleNamespace:
        lines, printed = make(*arguments), {}

        def code(printer: Printer) -> list[str]:
            if type(printer) not in printed:
                printed[type(printer)] = lines.code(printer)
            return list(printed[type(printer)])

        return types.SimpleNamespace(code=code)

    return made


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Kernels run uncompiled, in tiny blocks and segments so that a handful of neurons crosses their borders."""
    monkeypatch.setattr(numba_cpu, "load_generated", _interpreted)
    # most of the grid's time is SymPy's; shared and per-neuron parameters have the same lines
    for name in ("forward", "backward"):
        monkeypatch.setattr(numba_cpu, name, functools.lru_cache(4)(_printed_once(getattr(numba_cpu, name))))
    monkeypatch.setattr(numba_cpu, "BLOCK", 4)
    monkeypatch.setattr(choose, "SEGMENT_KEEP", 2)
    _clear_kernel_caches()
    with np.errstate(all="ignore"):
        yield
    _clear_kernel_caches()


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fresh memory holds NaN, so that an output that is never written is seen."""

    def poison(make: Callable[..., object]) -> Callable[..., object]:
        def made(*arguments: object, **options: object) -> object:
            value = make(*arguments, **options)
            if isinstance(value, Tensor) and value.is_floating_point():
                with torch.no_grad():
                    value.fill_(torch.nan)
            elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
                value.fill(np.nan)
            return value

        return made

    for holder, name in ((torch, "empty"), (torch, "empty_like"), (np, "empty"), (np, "empty_like")):
        monkeypatch.setattr(holder, name, poison(getattr(holder, name)))
    for name in ("new_empty", "new_empty_strided"):
        monkeypatch.setattr(Tensor, name, poison(getattr(Tensor, name)))
    monkeypatch.setattr(operator.pool, "empty", poison(operator.pool.empty))
