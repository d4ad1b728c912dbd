"""Kernels of the history strategy: spikes of a target wait in a list until a sender's synapses are next looked at.

Memory is then only ever touched row by row: when a sender's spike arrives, when the lists might overflow (all rows at
the same time, at a step that does not depend on the number of threads), and when continuous terms act. A row remembers
the step from which on spikes of the targets are pending for it, and the sender's traces at the end of that step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from spikelab.sim.numba_engine.plastic_clock import due, entries, pass_on
from spikelab.sim.numba_engine.plastic_row import HistoryRow
from spikelab.sim.numba_engine.plastic_source import ARRIVALS, HEADER, OWN_SPIKES, Lines, block, kernel
from spikelab.sim.numba_engine.plastic_table import FLAT, Layout, layout_with
from spikelab.sim.plasticity.spec import PlasticitySpec


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
    def row(self) -> HistoryRow:
        """The loops over a row."""
        return HistoryRow(self.spec)

    @property
    def lines(self) -> Lines:
        """The rule's lines."""
        return self.row.lines

    @property
    def layout(self) -> Layout:
        """The table's entries."""
        row = self.row
        tables = [each.name for each in self.spec.pre] + row.decaying
        return layout_with(
            self.spec,
            {
                **dict.fromkeys(("delay_", "block_", "longest_", "interval_", "room_", "most_", "requests_"), ""),
                **entries(self.spec.modulated, row.integral),
                "base_": "np.int64, threads_, 8",
                "waiting_": f"np.int32, {FLAT}",
                "latest_": f"np.int32, {FLAT}",
                "earlier_": f"np.int32, {FLAT}",
                "when_": f"np.int32, {FLAT}, room_",
                **{f"before_{name}_": f"FLOAT, {FLAT}, room_" for name in row.listed},
                **{f"last_{name}_": f"FLOAT, {FLAT}" for name in row.listed},
                **{f"post_{each.name}_": f"FLOAT, {FLAT}" for each in self.spec.post},
                **{f"factor_{each.name}_": "FLOAT, 1" for each in self.spec.post},
                **{f"decay_{name}_": "FLOAT, longest_ + 2" for name in tables},
                **{f"variable_{each.name}_": "FLOAT, synapses_" for each in self.spec.synapse},
            },
        )

    def source(self) -> str:
        """The kernels' module."""
        return "".join(
            [
                HEADER.format(title=self.spec.title, dtype=self.dtype, index=self.index),
                *(self.row.loop(ending).source() for ending in self.row.endings),
                kernel("sweep", self.layout, self.lines, self._sweep()),
                kernel("flush", self.layout, self.lines, self._flush()),
                kernel("begin", self.layout, self.lines, self._begin()),
                kernel("arrive", self.layout, self.lines, self._arrive()),
                kernel("after", self.layout, self.lines, self._after()),
            ]
        )

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
            self.row.loop("arrival").call(),
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
                ["    if clock_:", f"        {self.row.loop('clock').call()}", "    else:"]
                if self.spec.rates
                else ["    if True:"]
            ),
            f"        {self.row.loop('settle').call()}",
            "    since_[thread_, sender_] = step_",
            *(block([each], 1) for each in one),
        ]
        return due(self.lines, self.row.integral) + "    if not due_:\n        return\n" + block(body, 1)

    def _flush(self) -> str:
        """Brings (a copy of) all rows to the beginning of this step, and changes nothing else."""
        body = [
            "after_ = np.int64(0)",
            "for sender_ in range(senders_):",
            "    begin_, end_ = starts_[thread_, sender_], starts_[thread_ + 1, sender_]",
            block(self._row_state("step_ - 1"), 1),
            f"    {self.row.loop('settle').call()}",
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
        end = pass_on(self.lines, self.row.integral)
        return due(self.lines, self.row.integral) + block(body, 1) + "\n" + end

    def _after(self) -> str:
        lines = self.lines
        posts = [each.name for each in self.spec.post]
        enlist = [
            "place_in_list_ = np.int64(waiting_[j_])",
            "when_[j_, place_in_list_] = step_ - base_[thread_, 0]",
            *(f"before_{name}_[j_, place_in_list_] = {name}" for name in self.row.listed),
            *(f"last_{name}_[j_] = {name}" for name in self.row.listed),
            "earlier_[j_] = latest_[j_]",
            "latest_[j_] = step_ - base_[thread_, 0]",
            "waiting_[j_] = place_in_list_ + 1",
            "if place_in_list_ + 1 > room_ - most_:",
            "    write_shared(as_table(requests_), step_ // block_ % 2, step_ // block_)",
        ]
        body = [
            *(f"{name} = post_{name}_[j_]" for name in posts),
            *(enlist if self.row.waits else []),
            *lines.versions(lines.post.versions),
            *(f"post_{name}_[j_] = {lines.post.after[name]}" for name in posts),
        ]
        return OWN_SPIKES + block(body, 2)
