"""Kernels of the snapshot strategy: additive rules whose memory is only ever touched row by row, without a list.

A spike of a target at time t raises the weight by x(t) · c, where x is a trace of the sender and c a function of the
target's traces. Between two of its spikes x only decays, x(t) = x(t0) exp(-(t - t0) / tau), so that the sum over the
target's spikes since t0 is x(t0) exp((t0 - e) / tau) · (F(now) - F(t0)) with F = sum of c exp(-(t - e) / tau). F is one
number a target; the value that it had when the row was last visited is one number a synapse, the snapshot. Weights only
grow (or only shrink) by it, so that one clipping at the end equals clipping at each spike.

The origin e of time moves on after a few time constants (an epoch), as F would outgrow its precision. The F of the last
epochs are kept, each carried on to the present, so that only rows that were silent for all of them have to be visited.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from spikelab.sim.numba_engine.plastic_source import (
    ARRIVALS,
    HEADER,
    OWN_SPIKES,
    Lines,
    Loop,
    block,
    kernel,
)
from spikelab.sim.numba_engine.plastic_table import FLAT, Layout, layout_with
from spikelab.sim.plasticity.spec import PlasticitySpec
from spikelab.sim.plasticity.strategy import Growth


@dataclass(frozen=True, eq=False)
class SnapshotKernels:
    """What decides how the kernels look.

    Attributes:
        spec: the rule.
        growth: what spikes of the target add.
        dtype: "float32" or "float64".
        index: type of the targets' numbers, "uint16" or "uint32".
    """

    spec: PlasticitySpec
    growth: Growth
    dtype: str
    index: str

    @cached_property
    def lines(self) -> Lines:
        """The rule's lines."""
        return Lines(self.spec)

    @property
    def terms(self) -> list[str]:
        """Traces of the sender that spikes of the target read."""
        return list(self.growth.terms)

    @property
    def layout(self) -> Layout:
        """The table's entries."""
        return layout_with(
            self.spec,
            {
                **dict.fromkeys(("delay_", "epoch_", "kept_"), ""),
                **{f"post_{each.name}_": f"FLOAT, {FLAT}" for each in self.spec.post},
                **{f"factor_{each.name}_": "FLOAT, 1" for each in self.spec.post},
                **{f"rate_{each.name}_": "np.float64, 1" for each in self.spec.pre},
                **{f"sum_{name}_": f"FLOAT, {FLAT}" for name in self.terms},
                **{f"closed_{name}_": f"FLOAT, kept_, {FLAT}" for name in self.terms},
                **{f"snapshot_{name}_": "FLOAT, synapses_" for name in self.terms},
            },
        )

    def source(self) -> str:
        """The kernels' module."""
        return "".join(
            [
                HEADER.format(title=self.spec.title, dtype=self.dtype, index=self.index),
                self._arrival.source(),
                self._late_arrival.source(),
                self._settle.source(),
                kernel("begin", self.layout, self.lines, self._begin()),
                kernel("sweep", self.layout, self.lines, self._sweep()),
                kernel("flush", self.layout, self.lines, self._flush()),
                kernel("arrive", self.layout, self.lines, self._arrive()),
                kernel("after", self.layout, self.lines, self._after()),
            ]
        )

    # ------------------------------------------------------------------------------------------- the loop over a row

    @property
    def _arrival(self) -> Loop:
        return self._loop("run_arrival", late=False, arriving=True)

    @property
    def _late_arrival(self) -> Loop:
        return self._loop("run_late_arrival", late=True, arriving=True)

    @property
    def _settle(self) -> Loop:
        return self._loop("run_settle", late=True, arriving=False)

    def _loop(self, name: str, late: bool, arriving: bool) -> Loop:
        """The loop over a row.

        Args:
            name: of the function.
            late: whether the last visit was in another epoch.
            arriving: whether a spike of the sender arrives.
        """
        spec, lines = self.spec, self.lines
        body = ["j_ = np.int64(targets_[k_])", "w = weights_[k_]"]
        for each in self.terms:
            since = f"closed_{each}_[j_] + across_{each}_ * now_{each}_" if late else f"now_{each}_"
            body += [
                f"now_{each}_ = sum_{each}_[j_]",
                f"w = w + lift_{each}_ * ({since} - snapshot_{each}_[k_])",
                f"snapshot_{each}_[k_] = now_{each}_",
            ]
        if self.terms:
            body += lines.clip(self._bound())
        if arriving:
            names = {symbol.name for _, value in lines.pre.synapse for symbol in value.free_symbols}
            body += [f"{each.name} = post_{each.name}_[j_]" for each in spec.post if each.name in names]
            body += lines.synapse(lines.pre.synapse)
        body += ["weights_[k_] = w"]
        slices = {each: "[begin_:end_]" for each in ("targets_", "weights_")}
        slices |= {f"snapshot_{each}_": "[begin_:end_]" for each in self.terms}
        slices |= {f"closed_{each}_": "[then_ % kept_]" for each in self.terms}
        return Loop(name, body, self._arguments(), slices)

    def _bound(self) -> list[str]:
        """The bound that weights can reach by what spikes of the target do."""
        reached = {1: "w_max_", -1: "w_min_"}.get(self.growth.sign)
        return [name for name in self.lines.bounds if name == reached]

    def _arguments(self) -> list[str]:
        """Every name that a loop may need."""
        spec, lines = self.spec, self.lines
        return [
            *("targets_", "weights_"),
            *(f"{what}_{each}_" for what in ("snapshot", "sum", "closed", "lift", "across") for each in self.terms),
            *(f"post_{each.name}_" for each in spec.post),
            *("input_", *(each.name for each in spec.pre), *(name for name, _ in lines.pre.versions)),
            *lines.constants(),
        ]

    # ------------------------------------------------------------------------------------------------- the kernels

    def _row_state(self) -> list[str]:
        """Takes a row's memory; ``current_`` is the present epoch."""
        found = ["from_ = since_[thread_, sender_]", "then_ = from_ // epoch_"]
        for each in self.terms:
            since_origin = f"math.exp((then_ * epoch_ - from_) * rate_{each}_[0])"
            found += [
                f"lift_{each}_ = FLOAT(pre_{each}_[thread_, sender_] * {since_origin})",
                f"across_{each}_ = FLOAT(math.exp((current_ - then_) * epoch_ * rate_{each}_[0]))",
            ]
        return found

    def _arrive(self) -> str:
        lines = self.lines
        body = [
            "current_ = step_ // epoch_",
            *self._row_state(),
            *self.lines.decay_row(),
            *lines.versions(lines.pre.versions),
            "if then_ == current_:",
            f"    {self._arrival.call()}",
            "else:",
            f"    {self._late_arrival.call()}",
            "since_[thread_, sender_] = step_",
            *(f"pre_{each.name}_[thread_, sender_] = {lines.pre.after[each.name]}" for each in self.spec.pre),
        ]
        return ARRIVALS + block(body, 3)

    def _begin(self) -> str:
        """At the beginning of an epoch, the sums of those before are carried on, and a new one begins."""
        body = ["if step_ % epoch_ == 0 and step_ > 0:", "    current_ = step_ // epoch_"]
        for each in self.terms:
            body += [
                "    for epoch_number_ in range(max(0, current_ - kept_), current_):",
                f"        across_ = FLOAT(math.exp((current_ - 1 - epoch_number_) * epoch_ * rate_{each}_[0]))",
                f"        row_ = closed_{each}_[epoch_number_ % kept_]",
                "        for j_ in range(lo_, hi_):",
                f"            row_[j_] += across_ * sum_{each}_[j_]",
                f"    closed_{each}_[current_ % kept_, lo_:hi_] = FLOAT(0)",
                f"    sum_{each}_[lo_:hi_] = FLOAT(0)",
            ]
        return block([*(body if self.terms else []), *self.lines.decay_posts(), "return"], 1)

    def _sweep(self) -> str:
        """Visits the rows whose last epoch is about to be forgotten."""
        body = [
            "if step_ % epoch_ != 0 or step_ == 0:",
            "    return",
            "current_ = step_ // epoch_",
            "for sender_ in range(senders_):",
            block(self._row_state(), 1),
            "    if then_ > current_ - kept_ + 1:",
            "        continue",
            "    begin_, end_ = starts_[thread_, sender_], starts_[thread_ + 1, sender_]",
            block(self.lines.decay_row(), 1),
            f"    {self._settle.call()}",
            "    since_[thread_, sender_] = step_",
            *(f"    pre_{each.name}_[thread_, sender_] = {each.name}" for each in self.spec.pre),
        ]
        return block(body, 1)

    def _flush(self) -> str:
        """Brings the weights of (a copy of) all rows to the beginning of this step, and changes nothing else."""
        body = [
            "current_ = (step_ - 1) // epoch_",
            "for sender_ in range(senders_):",
            block(self._row_state(), 1),
            "    begin_, end_ = starts_[thread_, sender_], starts_[thread_ + 1, sender_]",
            f"    {self._settle.call()}",
        ]
        return block(body, 1)

    def _after(self) -> str:
        lines, posts = self.lines, [each.name for each in self.spec.post]
        body = [f"{name} = post_{name}_[j_]" for name in posts]
        for name, factor in self.growth.terms.items():
            gain = f"FLOAT(math.exp(step_ % epoch_ * rate_{name}_[0]))"
            body.append(f"sum_{name}_[j_] += {lines(factor)} * {gain}")
        body += [*lines.versions(lines.post.versions), *(f"post_{n}_[j_] = {lines.post.after[n]}" for n in posts)]
        return OWN_SPIKES + block(body, 2)


def shortest_epoch(taus: dict[str, float], growth: Growth, dt: float) -> int:
    """Steps of an epoch: four time constants of the fastest trace, beyond which sums would lose digits."""
    fastest = min((taus[name] for name in growth.terms), default=1.0)
    return max(1, round(4 * fastest / dt))


__all__ = ["SnapshotKernels", "shortest_epoch"]
