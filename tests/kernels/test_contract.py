"""Every neuron × method × input × reset × surrogate: the generated kernels against autograd through the torch loop.

Compiling all of them would take hours, so the grid runs the generated source uncompiled; ``test_compiled`` compiles a
representative part of it.

Triton's interpreter is too slow for all of it in every run. There it is every neuron × reset × surrogate with the
neuron's own method, and every further method × input once, with the 16 settings of the switches in turn.
"""

from __future__ import annotations

import itertools

import pytest

from spikelab import registry
from spikelab.neurons.discretise import INPUTS, METHODS, CannotDiscretise
from spikelab.neurons.step import StepOptions, build_step
from spikelab.neurons.surrogate import SURROGATES

#: A user's own surrogate, with a kink, a constant and a function of its own.
OWN = {"surrogate": "custom", "surrogate_expression": "height * where(x, exp(-x), 1 / (1 + x**2)) + 0.1 * tanh(x)**2"}


def code(name: str, method: str, form: str, reset: str) -> tuple[object, ...] | None:
    """What a kernel is generated from, or None where the method does not apply."""
    try:
        step = build_step(StepOptions(name, method, form, reset))
    except CannotDiscretise:
        return None
    return name, reset, step.lines, tuple(step.coefficients)


def combinations() -> list[tuple[str, str, str, str]]:
    """All that give different code: euler and semi-implicit euler, say, are one thing for a single state."""
    found = {}
    for name in registry.names("neurons"):
        for case in itertools.product([name], METHODS, INPUTS, registry.load("neurons", name).resets or [""]):
            found.setdefault(code(*case), case)
    found.pop(None, None)
    return list(found.values())


def surrogates(neuron: str) -> list[str]:
    return [*SURROGATES, "custom"] if registry.load("neurons", neuron).spikes else ["arctan"]


CASES = [(*case, surrogate) for case in combinations() for surrogate in surrogates(case[0])]


def surrogate_options(name: str) -> dict[str, object]:
    return {**OWN, "surrogate_parameters": (("height", 0.7),)} if name == "custom" else {"surrogate": name}


def test_the_grid_is_complete():
    covered = {None, *(code(*case) for case in combinations())}
    seen = {(name, reset, surrogate) for name, _, _, reset, surrogate in CASES}
    for name in registry.names("neurons"):
        spec = registry.load("neurons", name)
        for reset, surrogate in itertools.product(spec.resets, surrogates(name)):
            assert (name, reset, surrogate) in seen
        for method, form, reset in itertools.product(METHODS, INPUTS, spec.resets or [""]):
            assert code(name, method, form, reset) in covered


@pytest.mark.usefixtures("interpreted", "poisoned")
@pytest.mark.parametrize(("neuron", "method", "form", "reset", "surrogate"), CASES)
def test_generated_code_equals_autograd(contract, neuron, method, form, reset, surrogate):
    spec = registry.load("neurons", neuron)
    switches = list(itertools.product((False, True), (False, True))) if spec.spikes else [(False, False)]
    for per_neuron, (detach, refractory) in itertools.product((False, True), switches):
        options = StepOptions(
            neuron, method, form, reset, refractory, detach_reset=detach, **surrogate_options(surrogate)
        )
        problem = contract.problem(options, per_neuron)
        truth = contract.solve(problem, options, "reference")
        found = contract.solve(problem, options, "numba")
        contract.compare(found, truth, spec.spikes, f"{options}, per neuron: {per_neuron}")
        if spec.spikes:
            assert 0 < truth.outputs[0].mean() < 1, "the case shows nothing: always or never a spike"
        assert truth.gradients["x"].abs().max() > 0, "the case shows nothing: no gradient"


@pytest.mark.usefixtures("interpreted", "poisoned")
@pytest.mark.parametrize(("neuron", "method", "form", "reset"), [c for c in combinations() if c[3]])
def test_every_choice_changes_something(contract, neuron, method, form, reset):
    """If reset, refractory time or surrogate had no effect on these problems, the grid would prove nothing."""
    spec = registry.load("neurons", neuron)
    plain = StepOptions(neuron, method, form, reset)
    problem = contract.problem(plain, True)
    truth = contract.solve(problem, plain, "reference")

    def changed(**choice: object) -> float:
        other = contract.solve(problem, StepOptions(neuron, method, form, reset, **choice), "reference")
        return max(contract.relative_error(other.gradients[k], truth.gradients[k]) for k in truth.gradients)

    # an action potential that ends by itself is not reset, so there is nothing to detach
    if spec.resets[reset] != spec.membrane:
        assert changed(detach_reset=True) > 1e-6
    assert changed(refractory=True) > 1e-6
    for surrogate in {*surrogates(neuron)} - {"arctan"} if reset == spec.default_reset else ():
        assert changed(**surrogate_options(surrogate)) > 1e-6, surrogate


SWITCHES = list(itertools.product((False, True), repeat=4))


def own_method() -> list[tuple[str, str, str, str, str, int]]:
    """(neuron, method, input, reset, surrogate, setting of the switches)."""
    cases = [
        (name, "", "current", reset, surrogate)
        for name in registry.names("neurons")
        for reset in sorted(registry.load("neurons", name).resets) or [""]
        for surrogate in surrogates(name)
    ]
    # 5 and 16 have no common factor: all settings come up, and with each surrogate others
    return [(*case, 5 * place % len(SWITCHES)) for place, case in enumerate(cases)]


def other_methods() -> list[tuple[str, str, str, str, str, int]]:
    """All others that give different code, with surrogates and switches in turn."""
    known = {
        code(name, registry.load("neurons", name).default_method, *rest[1:3]) for name, *rest, _, _ in own_method()
    }
    cases = []
    for k, case in enumerate(case for case in combinations() if code(*case) not in known):
        choices = surrogates(case[0])
        cases.append((*case, choices[k % len(choices)], k % len(SWITCHES)))
    return cases


def test_every_combination_is_met_by_triton():
    met = {
        code(name, method or registry.load("neurons", name).default_method, form, reset)
        for name, method, form, reset, _, _ in own_method() + other_methods()
    }
    assert met >= {code(*case) for case in combinations()}


def compare_triton(contract, device, neuron, method, form, reset, surrogate, switches):
    spec = registry.load("neurons", neuron)
    per_neuron, detach, refractory, recompute = SWITCHES[switches]
    options = StepOptions(
        *(neuron, method or spec.default_method, form, reset, refractory and spec.spikes),
        detach_reset=detach and spec.spikes,
        **surrogate_options(surrogate),
        record=spec.state_names if per_neuron != recompute else (),
    )
    # without gradients of parameters less is kept, or something else
    learn = switches % 3 > 0
    problem = contract.problem(options, per_neuron, steps=3)
    truth = contract.solve(problem, options, "reference", learn=learn)
    found = contract.solve(problem, options, "triton", recompute=recompute, learn=learn, device=device)
    told = f"{options}, per neuron: {per_neuron}, recompute: {recompute}, learn: {learn}"
    contract.compare(found, truth, spec.spikes, told)


@pytest.mark.gpu
@pytest.mark.usefixtures("few_together", "poisoned")
@pytest.mark.parametrize(("neuron", "method", "form", "reset", "surrogate", "switches"), own_method())
def test_triton_equals_autograd(contract, device, neuron, method, form, reset, surrogate, switches):
    compare_triton(contract, device, neuron, method, form, reset, surrogate, switches)


@pytest.mark.gpu
@pytest.mark.usefixtures("few_together", "poisoned")
@pytest.mark.parametrize(("neuron", "method", "form", "reset", "surrogate", "switches"), other_methods())
def test_triton_equals_autograd_by_other_methods(contract, device, neuron, method, form, reset, surrogate, switches):
    compare_triton(contract, device, neuron, method, form, reset, surrogate, switches)
