"""A rule interpreted from its text, step by step and synapse by synapse: what generated kernels are compared with."""

from __future__ import annotations

import math

import numpy as np
from hand_driven import Case, HandDriven

from spikelab.sim.plasticity.choice import Plasticity
from spikelab.sim.plasticity.constants import Constants
from spikelab.sim.plasticity.spec import PlasticitySpec

_FUNCTIONS = {name: getattr(math, name) for name in ("exp", "log", "sqrt", "tanh", "sin", "cos")} | {"abs": abs}


class SlowRule:
    """The synapses of one projection.

    Args:
        spec: the rule.
        numbers: its constants.
        senders: of each synapse, [K].
        targets: of each synapse, [K].
        delays: of each synapse in steps, [K].
        weights: at the beginning, [K].
        sizes: (number of senders, number of targets).
        dt: time step.
    """

    def __init__(self, spec: PlasticitySpec, numbers: Constants, senders, targets, delays, weights, sizes, dt):
        self.spec, self.numbers, self.dt = spec, numbers, dt
        self.senders, self.targets, self.delays = senders, targets, delays
        self.kinds = sorted(set(delays.tolist()))
        rest = numbers.rest
        # the trace of a sender follows the spikes as they arrive, so there is one for each delay
        self.pre = {each.name: {d: [rest[each.name]] * sizes[0] for d in self.kinds} for each in spec.pre}
        self.post = {each.name: [rest[each.name]] * sizes[1] for each in spec.post}
        self.synapse = {"w": [float(w) for w in weights]}
        self.synapse |= {each.name: [0.0] * len(weights) for each in spec.synapse}
        self.delivered = np.zeros(sizes[1])
        self.modulator = 0.0
        self.log: list[np.ndarray] = []
        self.interval = round(numbers.interval / dt)

    def step(self, number: int, pre: np.ndarray, post: np.ndarray) -> np.ndarray:
        """One time step in which these senders and targets spike; returns what arrives at each target."""
        if self.interval and number and number % self.interval == 0:
            self._continuous()
        self._decay()
        self.log.append(pre)
        self.delivered[:] = 0
        for delay in self.kinds:
            if number >= delay:
                for sender in self.log[number - delay]:
                    self._arrive(int(sender), delay)
        for target in post:
            self._spike(int(target))
        return self.delivered.copy()

    def _decay(self) -> None:
        for name, tau in self.numbers.tau.items():
            factor, rest = math.exp(-self.dt / tau), self.numbers.rest[name]
            if name in self.pre:
                lists = list(self.pre[name].values())
            else:
                lists = [self.post[name] if name in self.post else self.synapse[name]]
            for values in lists:
                values[:] = [rest + (value - rest) * factor for value in values]

    def _arrive(self, sender: int, delay: int) -> None:
        mine = [k for k in range(len(self.senders)) if self.senders[k] == sender and self.delays[k] == delay]
        lines = list(self.spec.on_pre)
        if not any(line.split()[0] == "deliver" for line in lines):
            lines.insert(0, "deliver w")
        for line in lines:
            if line.split()[0] == "deliver":
                for k in mine:
                    self.delivered[self.targets[k]] += self._value(line.split(None, 1)[1], sender, delay, k)
                continue
            name, text = (part.strip() for part in line.split("=", 1))
            if name in self.pre:
                self.pre[name][delay][sender] = self._value(text, sender, delay, None)
            else:
                for k in mine:
                    self._assign(name, k, self._value(text, sender, delay, k))

    def _spike(self, target: int) -> None:
        mine = [k for k in range(len(self.targets)) if self.targets[k] == target]
        for line in self.spec.on_post:
            name, text = (part.strip() for part in line.split("=", 1))
            if name in self.post:
                names = {key: values[target] for key, values in self.post.items()}
                self.post[name][target] = eval(text, {"__builtins__": {}}, {**_FUNCTIONS, **self._parameters, **names})
            else:
                for k in mine:
                    self._assign(name, k, self._value(text, self.senders[k], self.delays[k], k))

    def _continuous(self) -> None:
        for k in range(len(self.senders)):
            rates = {}
            for line in self.spec.continuous:
                name, text = (part.strip() for part in line.split("=", 1))
                rates[name[1:-3]] = self._value(text, self.senders[k], self.delays[k], k)
            for name, rate in rates.items():
                self._assign(name, k, self.synapse[name][k] + self.numbers.interval * rate)

    def _assign(self, name: str, k: int, value: float) -> None:
        if name == "w":
            value = min(max(value, self.numbers.w_min), self.numbers.w_max)
        self.synapse[name][k] = value

    @property
    def _parameters(self) -> dict[str, float]:
        return {**self.numbers.parameters, "pi": math.pi, "modulator": self.modulator}

    def _value(self, text: str, sender: int, delay: int, k: int | None) -> float:
        names = {name: values[delay][sender] for name, values in self.pre.items()}
        if k is not None:
            names |= {name: values[self.targets[k]] for name, values in self.post.items()}
            names |= {name: values[k] for name, values in self.synapse.items()}
        # the test's own rules only: the library itself never evaluates text
        return eval(text, {"__builtins__": {}}, {**_FUNCTIONS, **self._parameters, **names})


def compare(case: Case, choice: Plasticity, dtype="float64", threads=1, tolerance=1e-12) -> np.ndarray:
    """Runs the generated kernels beside the interpreter, asserts that they agree, and returns the final weights."""
    fast = HandDriven(case, choice, dtype, threads)
    numbers = choice.constants("1", "test")
    slow = SlowRule(choice.rule, numbers, case.senders, case.targets, case.delays, case.weights, case.sizes, case.dt)
    for step, (pre, post) in enumerate(zip(case.pre, case.post, strict=True)):
        if choice.rule.modulated and step % 50 == 0:
            slow.modulator = math.sin(step / 70)
            fast.state.set_modulator(slow.modulator)
        wanted = slow.step(step, pre, post)
        np.testing.assert_allclose(fast.step(), wanted, atol=tolerance, rtol=0, err_msg=f"arrived in step {step}")
        if step % 97 == 0 or step == len(case.pre) - 1:
            for name, values in slow.synapse.items():
                found = fast.variable(name)
                np.testing.assert_allclose(found, values, atol=tolerance, rtol=0, err_msg=f"{name} after step {step}")
    return fast.variable("w")
