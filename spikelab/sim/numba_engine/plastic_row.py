"""The loop over a sender's synapses in the history strategy: applies what waits, then does what it was called for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from spikelab.sim.numba_engine.plastic_source import Lines, Loop, block
from spikelab.sim.plasticity.spec import MODULATOR, PlasticitySpec
from spikelab.sim.plasticity.strategy import Integral, integral


@dataclass(frozen=True)
class HistoryRow:
    """The loops of a rule.

    Attributes:
        spec: the rule.
    """

    spec: PlasticitySpec

    @cached_property
    def lines(self) -> Lines:
        """The rule's lines."""
        return Lines(self.spec)

    @property
    def listed(self) -> list[str]:
        """Traces of the target whose values at its spikes are kept with them."""
        return [each.name for each in self.spec.post if each.name in self.lines.post.names()]

    @property
    def waits(self) -> bool:
        """Whether spikes of the target change synapses at all."""
        return bool(self.lines.post.synapse)

    @property
    def decaying(self) -> list[str]:
        """Variables of synapses that decay."""
        return [each.name for each in self.spec.synapse if each.tau is not None]

    @cached_property
    def integral(self) -> Integral | None:
        """The continuous term, where it is a shared sum over time."""
        return integral(self.spec)

    @property
    def endings(self) -> list[str]:
        """What a loop may end with."""
        return ["arrival", "settle", *(["clock"] if self.spec.rates else [])]

    def loop(self, ending: str) -> Loop:
        """The loop over a row: what waits, decay, and then the end that is asked for."""
        spec, lines = self.spec, self.lines
        body = ["j_ = np.int64(targets_[k_])", "w = weights_[k_]"]
        body += [f"{each.name} = variable_{each.name}_[k_]" for each in spec.synapse]
        if self.waits:
            body += self._walk()
        elif self.decaying:
            body += ["at_ = np.int64(0)"]
        body += self._decayed("age_")
        if ending == "arrival":
            body += self._read({symbol.name for _, value in lines.pre.synapse for symbol in value.free_symbols})
            body += lines.synapse(lines.pre.synapse)
        if ending == "clock":
            body += self._clock()
        if ending != "arrival":
            body += [f"{each} = {each} * decay_{each}_[after_]" for each in self.decaying]
        body += ["weights_[k_] = w"]
        body += [f"variable_{each.name}_[k_] = {each.name}" for each in spec.synapse]
        parts = ["targets_", "weights_", *(f"variable_{each.name}_" for each in spec.synapse)]
        slices = {"integral_": "[thread_]", **{name: "[begin_:end_]" for name in parts}}
        return Loop(f"run_{ending}", body, self._arguments(), slices)

    def _read(self, names: set[str]) -> list[str]:
        """The present traces of both neurons, where they are used."""
        found = [f"{each.name} = post_{each.name}_[j_]" for each in self.spec.post if each.name in names]
        return found + [f"{each.name} = {each.name}_now_" for each in self.spec.pre if each.name in names]

    def _walk(self) -> list[str]:
        """Spikes of the target that are pending, oldest first; mostly it is the latest alone, which lies at hand."""
        return [
            *(["at_ = np.int64(0)"] if self.decaying else []),
            "if latest_[j_] >= from_:",
            "    if earlier_[j_] >= from_:",
            "        until_ = np.int64(waiting_[j_]) - 1",
            "        oldest_ = until_ - 1",
            "        while oldest_ > 0 and when_[j_, oldest_ - 1] >= from_:",
            "            oldest_ -= 1",
            "        for i_ in range(oldest_, until_):",
            block(self._event("when_[j_, i_]", {name: f"before_{name}_[j_, i_]" for name in self.listed}), 3),
            block(self._event("latest_[j_]", {name: f"last_{name}_[j_]" for name in self.listed}), 1),
        ]

    def _event(self, when: str, before: Mapping[str, str]) -> list[str]:
        """One spike of the target: the time, the target's traces just before, and what it does."""
        spec, lines = self.spec, self.lines
        names = lines.post.names()
        return [
            f"then_ = np.int64({when}) - from_",
            *(
                f"{each.name} = {lines.relaxed(each.name, f'{each.name}_then_', f'decay_{each.name}_[then_]')}"
                for each in spec.pre
                if each.name in names
            ),
            *self._decayed("then_"),
            *(["at_ = then_"] if self.decaying else []),
            *(f"{name} = {value}" for name, value in before.items()),
            *lines.versions(lines.post.needed()),
            *lines.synapse(lines.post.synapse),
        ]

    def _decayed(self, until: str) -> list[str]:
        """Variables decay from ``at_`` to ``until``; a weight that is an integral over one of them follows."""
        found = []
        if self.integral:
            between = f"(integral_[from_ + {until}] - integral_[from_ + at_])"
            found = [f"w = w + {self.integral.variable} * lift_[from_ + at_ + 1] * {between}", *self.lines.clip()]
        return found + [f"{each} = {each} * decay_{each}_[{until} - at_]" for each in self.decaying]

    def _clock(self) -> list[str]:
        """The continuous terms: one forward Euler step over the interval, all from the same values."""
        spec, lines = self.spec, self.lines
        body = self._read({symbol.name for each in spec.rates for symbol in each.value.free_symbols})
        body += [f"d_{each.name}_ = {lines(each.value)}" for each in spec.rates]
        body += [f"{each.name} = {each.name} + duration_ * d_{each.name}_" for each in spec.rates]
        if any(each.name == "w" for each in spec.rates):
            body += lines.clip()
        return body

    def _arguments(self) -> list[str]:
        """Every name that a loop may need."""
        spec, lines = self.spec, self.lines
        pre = [each.name for each in spec.pre]
        return [
            *("targets_", "weights_", *(f"variable_{each.name}_" for each in spec.synapse)),
            *("waiting_", "latest_", "earlier_", "when_"),
            *(f"{kind}_{name}_" for kind in ("before", "last") for name in self.listed),
            *(f"post_{each.name}_" for each in spec.post),
            *(f"decay_{name}_" for name in (*pre, *self.decaying)),
            *("from_", "age_", "after_", "input_", "duration_", MODULATOR, "integral_", "lift_"),
            *(f"{name}_then_" for name in pre),
            *(f"{name}_now_" for name in pre),
            *(name for name, _ in lines.pre.versions),
            *lines.constants(),
        ]
