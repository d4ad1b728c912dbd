"""Kernels of the history strategy: spikes of a target wait in a list until a sender's synapses are next looked at.

Memory is then only ever touched row by row: when a sender's spike arrives, when the lists might overflow (all rows at
the same time, at a step that does not depend on the number of threads), and when continuous terms act. A row remembers
the step from which on spikes of the targets are pending for it, and the sender's traces at the end of that step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from spikelab.sim.numba_engine.plastic_source import (
    ARRIVALS,
    HEADER,
    OWN_SPIKES,
    Layout,
    Lines,
    Loop,
    block,
    kernel,
)
from spikelab.sim.plasticity.spec import MODULATOR, PlasticitySpec
from spikelab.sim.plasticity.strategy import Integral, integral

#: Whether all rows have to be looked at now, and whether continuous terms act. Every thread finds the same answer: a
#: request made in one block of steps is read at the beginning of the next.
_DUE = """
    number_ = step_ // block_
    clock_ = interval_ > 0 and step_ > 0 and step_ % interval_ == 0
    due_ = step_ > 0 and step_ % longest_ == 0
    if step_ % block_ == 0 and read_shared(as_table(requests_), (number_ + 1) % 2) == number_ - 1:
        due_ = True
"""
#: Where continuous terms need all rows whenever they act.
_EVERY_TIME = """
    due_ = due_ or clock_
"""
#: Where they are integrals: all rows are needed only when the gain changes its sign.
_GAIN = """
    gain_ = FLOAT(interval_) * dt_ * {gain}
    due_ = due_ or (clock_ and gain_ * sign_[thread_, 0] < FLOAT(0))
"""
#: The sum over time of gain · decay, from the last time that all rows were looked at to each step since.
_SUM_GAIN = """
    position_ = step_ - base_[thread_, 0]
    if position_ == 0:
        integral_[thread_, 0] = FLOAT(0)
    else:
        integral_[thread_, position_] = integral_[thread_, position_ - 1]
        if clock_:
            integral_[thread_, position_] += gain_ * decay_{variable}_[position_]
    if clock_ and gain_ != FLOAT(0):
        sign_[thread_, 0] = FLOAT(1) if gain_ > FLOAT(0) else FLOAT(-1)
"""

#: Entries for the modulator: values from given steps on or, where there is a delay, a level that spikes raise.
_SIGNAL = {
    "signal_log_": "",
    "signal_first_": "",
    "signal_last_": "",
    "signal_delay_": "",
    "signal_numbers_": "FLOAT, 3",
    "signals_": "",
    "signal_steps_": "np.int64, signals_",
    "signal_values_": "FLOAT, signals_",
    "level_": "FLOAT, threads_, 8",
}
_READ_SIGNAL = f"""
    {MODULATOR} = level_[thread_, 0]
    if signal_delay_ == 0:
        {MODULATOR} = signal_values_[max(np.searchsorted(signal_steps_, step_, side="right") - 1, 0)]
"""
_RAISE_SIGNAL = """
    if signal_delay_ > 0:
        level_now_ = signal_numbers_[0] + (level_[thread_, 0] - signal_numbers_[0]) * signal_numbers_[1]
        emitted_ = step_ - signal_delay_
        if emitted_ >= 0:
            header_ = array_at(signal_log_, (6,), np.int64)
            local_ = emitted_ - header_[4]
            for other_ in range(header_[5]):
                offsets_ = array_at(header_[2] + 8 * other_ * header_[3], (header_[3],), np.int64)
                identities_ = array_at(header_[0] + 4 * other_ * header_[1], (header_[1],), np.int32)
                for place_ in range(offsets_[local_], offsets_[local_ + 1]):
                    if signal_first_ <= identities_[place_] < signal_last_:
                        level_now_ += signal_numbers_[2]
        level_[thread_, 0] = level_now_
"""


@dataclass(frozen=True)
class HistoryKernels:
    """What decides how the kernels look.

    Attributes:
        spec: the rule.
        dtype: "float32" or "float64".
        index: type of the targets' numbers, "uint16" or "uint32".
    """

    spec: PlasticitySpec
    dtype: str
    index: str

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
    def layout(self) -> Layout:
        """The table's entries."""
        flat, threads = "(size_ + LANES - 1) // LANES * LANES", "threads_"
        tables = [each.name for each in self.spec.pre] + self.decaying
        return Layout(
            {
                "target_log_": "",
                "size_": "",
                "first_": "",
                "last_": "",
                "block_": "",
                "longest_": "",
                "interval_": "",
                "room_": "",
                "most_": "",
                "requests_": "",
                "bounds_": f"np.int64, {threads} + 1",
                "constants_": f"FLOAT, {len(self.lines.constants())}",
                **(_SIGNAL if self.spec.modulated else {}),
                "base_": f"np.int64, {threads}, 8",
                **(
                    {
                        "sign_": f"FLOAT, {threads}, 8",
                        "integral_": f"FLOAT, {threads}, longest_ + 2",
                        "lift_": "FLOAT, longest_ + 2",
                    }
                    if self.integral
                    else {}
                ),
                "waiting_": f"np.int32, {flat}",
                "latest_": f"np.int32, {flat}",
                "earlier_": f"np.int32, {flat}",
                "when_": f"np.int32, {flat}, room_",
                **{f"before_{name}_": f"FLOAT, {flat}, room_" for name in self.listed},
                **{f"last_{name}_": f"FLOAT, {flat}" for name in self.listed},
                **{f"post_{each.name}_": f"FLOAT, {flat}" for each in self.spec.post},
                **{f"factor_{each.name}_": "FLOAT, 1" for each in self.spec.post},
                **{f"decay_{name}_": "FLOAT, longest_ + 2" for name in tables},
                "log_": "",
                "delay_": "",
                "source_first_": "",
                "senders_": "",
                "synapses_": "",
                "slots_": "",
                "starts_": f"np.int64, {threads} + 1, senders_",
                "targets_": "INDEX, synapses_",
                "weights_": "FLOAT, synapses_",
                **{f"variable_{each.name}_": "FLOAT, synapses_" for each in self.spec.synapse},
                "since_": f"np.int64, {threads}, senders_",
                **{f"pre_{each.name}_": f"FLOAT, {threads}, senders_" for each in self.spec.pre},
                "ring_": f"FLOAT, slots_, {flat}",
            }
        )

    def source(self) -> str:
        """The kernels' module."""
        return "".join(
            [
                HEADER.format(title=self.spec.title, dtype=self.dtype, index=self.index),
                *(self._loop(ending).source() for ending in self._endings),
                kernel("sweep", self.layout, self.lines, self._sweep()),
                kernel("flush", self.layout, self.lines, self._flush()),
                kernel("begin", self.layout, self.lines, self._begin()),
                kernel("arrive", self.layout, self.lines, self._arrive()),
                kernel("after", self.layout, self.lines, self._after()),
            ]
        )

    # ------------------------------------------------------------------------------------------- the loop over a row

    @property
    def _endings(self) -> list[str]:
        return ["arrival", "settle", *(["clock"] if self.spec.rates else [])]

    def _loop(self, ending: str) -> Loop:
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

    # ------------------------------------------------------------------------------------------------- the kernels

    def _row_state(self, age: str) -> list[str]:
        """Takes a row's memory: from when on spikes are pending, and the sender's traces then."""
        return [
            f"age_ = {age} - since_[thread_, sender_]",
            "from_ = since_[thread_, sender_] - base_[thread_, 0]",
            *(f"{each.name}_then_ = pre_{each.name}_[thread_, sender_]" for each in self.spec.pre),
        ]

    def _now(self) -> list[str]:
        """The sender's traces at the age."""
        return [
            f"{each.name}_now_ = {self.lines.relaxed(each.name, f'{each.name}_then_', f'decay_{each.name}_[age_]')}"
            for each in self.spec.pre
        ]

    def _arrive(self) -> str:
        lines = self.lines
        renamed = [f"{each.name} = {each.name}_now_" for each in self.spec.pre]
        body = [
            *self._row_state("step_"),
            *self._now(),
            *renamed,
            *lines.versions(lines.pre.versions),
            self._loop("arrival").call(),
            "since_[thread_, sender_] = step_",
            *(f"pre_{each.name}_[thread_, sender_] = {lines.pre.after[each.name]}" for each in self.spec.pre),
        ]
        return ARRIVALS + block(body, 3)

    def _sweep(self) -> str:
        """All rows are brought to the beginning of this step; what they remember is then of its end."""
        lines = self.lines
        one = []
        for each in self.spec.pre:
            value = lines.relaxed(each.name, f"{each.name}_now_", f"decay_{each.name}_[1]")
            one.append(f"pre_{each.name}_[thread_, sender_] = {value}")
        body = [
            "after_ = np.int64(1)",
            "duration_ = FLOAT(interval_) * dt_",
            "for sender_ in range(senders_):",
            "    begin_, end_ = starts_[thread_, sender_], starts_[thread_ + 1, sender_]",
            block([*self._row_state("step_ - 1"), *self._now()], 1),
            *(
                ["    if clock_:", f"        {self._loop('clock').call()}", "    else:"]
                if self.spec.rates
                else ["    if True:"]
            ),
            f"        {self._loop('settle').call()}",
            "    since_[thread_, sender_] = step_",
            *(block([each], 1) for each in one),
        ]
        return self._due() + "    if not due_:\n        return\n" + block(body, 1)

    def _due(self) -> str:
        """Finds out what is to be done in this step."""
        signal = _READ_SIGNAL if self.spec.modulated else ""
        gain = _GAIN.format(gain=self.lines(self.integral.gain)) if self.integral else _EVERY_TIME
        return signal + _DUE + gain

    def _flush(self) -> str:
        """Brings (a copy of) all rows to the beginning of this step, and changes nothing else."""
        body = [
            "after_ = np.int64(0)",
            "for sender_ in range(senders_):",
            "    begin_, end_ = starts_[thread_, sender_], starts_[thread_ + 1, sender_]",
            block(self._row_state("step_ - 1"), 1),
            f"    {self._loop('settle').call()}",
        ]
        return block(body, 1)

    def _begin(self) -> str:
        body = [
            "if due_:",
            "    waiting_[lo_:hi_] = 0",
            "    latest_[lo_:hi_] = -1",
            "    earlier_[lo_:hi_] = -1",
            "    base_[thread_, 0] = step_",
            *self.lines.decay_posts(),
        ]
        integral = _SUM_GAIN.format(variable=self.integral.variable) if self.integral else ""
        return self._due() + block(body, 1) + "\n" + integral + (_RAISE_SIGNAL if self.spec.modulated else "")

    def _after(self) -> str:
        lines = self.lines
        posts = [each.name for each in self.spec.post]
        enlist = [
            "place_in_list_ = np.int64(waiting_[j_])",
            "when_[j_, place_in_list_] = step_ - base_[thread_, 0]",
            *(f"before_{name}_[j_, place_in_list_] = {name}" for name in self.listed),
            *(f"last_{name}_[j_] = {name}" for name in self.listed),
            "earlier_[j_] = latest_[j_]",
            "latest_[j_] = step_ - base_[thread_, 0]",
            "waiting_[j_] = place_in_list_ + 1",
            "if place_in_list_ + 1 > room_ - most_:",
            "    write_shared(as_table(requests_), step_ // block_ % 2, step_ // block_)",
        ]
        body = [
            *(f"{name} = post_{name}_[j_]" for name in posts),
            *(enlist if self.waits else []),
            *lines.versions(lines.post.versions),
            *(f"post_{name}_[j_] = {lines.post.after[name]}" for name in posts),
        ]
        return OWN_SPIKES + block(body, 2)
