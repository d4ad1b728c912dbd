"""The numbers of the reservoir, of the task and of learning, each marked as the paper's or as ours.

[paper]: stated in notes of the paper. [ours]: the paper's value is not known to us.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal


def _require(good: bool, owner: Any, field: str, remedy: str) -> None:
    if not good:
        raise ValueError(f"{type(owner).__name__}: {field} = {getattr(owner, field)!r}: {remedy}")


def _require_positive(owner: Any, *names: str) -> None:
    for name in names:
        _require(getattr(owner, name) > 0, owner, name, "must be above 0")


def _require_not_negative(owner: Any, *names: str) -> None:
    for name in names:
        _require(getattr(owner, name) >= 0, owner, name, "must not be negative")


@dataclass(frozen=True)
class ReservoirParameters:
    """The recurrent network, which does not learn.

    Attributes:
        neurons: how many; 1000 in the paper, 300 shows the same in less time.
        excitatory_share: [ours] of the neurons; the rest inhibits. Dale's law [paper].
        connection_probability: [ours] of each pair.
        gain: [ours] of the recurrent weights.
        inhibition: [ours] how much stronger an inhibitory weight is on average.
        tau_synapse: [ours] decay of a synaptic current, s; by 1 - dt / tau_synapse in a step, like Izhikevich's script.
        background: [ours] standard deviation of a noise current that is the same in every trial. It stands for whatever
            makes the trajectory after a cue reproducible, in the paper the feedback of the timing prediction.
        fresh_noise: [ours] standard deviation of a noise current that differs from trial to trial.
        cue_strength: [ours] standard deviation over neurons of the cue's current.
        feedback: [ours] standard deviation over neurons of the current that a timing output of 1 sends back; 0 leaves
            the loop open. Closed in the paper.
        seed: of the network, the background and the fresh noise.
    """

    neurons: int = 300
    excitatory_share: float = 0.8
    connection_probability: float = 0.1
    gain: float = 0.2
    inhibition: float = 3.6
    tau_synapse: float = 10e-3
    background: float = 5.0
    fresh_noise: float = 0.2
    cue_strength: float = 5.0
    feedback: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        _require(self.neurons >= 10, self, "neurons", "use 10 or more")
        _require(0 < self.excitatory_share < 1, self, "excitatory_share", "use a share between 0 and 1")
        _require(0 <= self.connection_probability <= 1, self, "connection_probability", "use 0 to 1")
        _require_positive(self, "tau_synapse")
        _require_not_negative(
            self, "gain", "inhibition", "background", "fresh_noise", "cue_strength", "feedback", "seed"
        )


@dataclass(frozen=True)
class Block:
    """Trials of fixed statistics [paper].

    Attributes:
        trials: how many; 100 in the paper.
        probability: that A follows the cue; else B does.
        latencies: of A and of B after the beginning of the cue, s [ours].
    """

    trials: int = 100
    probability: float = 0.8
    latencies: tuple[float, float] = (0.2, 0.35)

    def __post_init__(self) -> None:
        _require(self.trials >= 1, self, "trials", "use 1 or more")
        _require(0 <= self.probability <= 1, self, "probability", "use 0 to 1")
        _require(len(self.latencies) == 2, self, "latencies", "give two: of event A and of event B")


def _schedule(*statistics: tuple[float, tuple[float, float]]) -> tuple[Block, ...]:
    return tuple(Block(probability=probability, latencies=latencies) for probability, latencies in statistics)


_EARLY_A, _LATE_A = (0.2, 0.35), (0.35, 0.2)
#: The order of switches decides how much FORCE has to unlearn: least squares weighs all trials of the session alike, so
#: after one block of old timing and one of new the old peak has kept half its height, after two and one two thirds.
SCHEDULES = {
    # probability, timing, both
    "probability_first": _schedule((0.8, _EARLY_A), (0.2, _EARLY_A), (0.2, _LATE_A), (0.8, _EARLY_A)),
    # timing, probability, both
    "timing_first": _schedule((0.8, _EARLY_A), (0.8, _LATE_A), (0.2, _LATE_A), (0.8, _EARLY_A)),
}
DEFAULT_BLOCKS = SCHEDULES["probability_first"]


@dataclass(frozen=True)
class TaskParameters:
    """A trial of the multi-event expectation task.

    Attributes:
        duration: [ours] of a trial, s, in steps of 1 ms [paper].
        cue: [ours] when the cue begins, s.
        cue_duration: [ours] s.
        width: [ours] standard deviation of the bump that stands for an event, s.
        tests: [ours] trials of a block after which a test trial follows, counted from 1; the last is always tested.
    """

    duration: float = 0.6
    cue: float = 0.05
    cue_duration: float = 0.05
    width: float = 0.02
    tests: tuple[int, ...] = (1, 2, 3, 5, 10, 20, 30, 40, 50, 60, 80, 100)

    def __post_init__(self) -> None:
        _require_positive(self, "duration", "cue_duration", "width")
        _require_not_negative(self, "cue")
        _require(
            self.cue + self.cue_duration < self.duration,
            self,
            "duration",
            "the trial must be longer than up to its cue",
        )

    @property
    def steps(self) -> int:
        """Milliseconds of a trial."""
        return round(self.duration * 1e3)

    @property
    def after_cue(self) -> int:
        """The first millisecond after the cue."""
        return round((self.cue + self.cue_duration) * 1e3)

    def check(self, block: Block) -> None:
        """Refuses latencies whose bumps do not lie between the cue's end and the trial's.

        Raises:
            ValueError: names the latency.
        """
        for name, latency in zip("AB", block.latencies, strict=True):
            if not self.cue_duration <= latency <= self.duration - self.cue:
                raise ValueError(
                    f"Block: latency of {name} = {latency:g} s must lie between the end of the cue "
                    f"({self.cue_duration:g} s) and that of the trial ({self.duration - self.cue:g} s after the cue)"
                )


@dataclass(frozen=True)
class LearningParameters:
    """The readouts and their rules.

    Attributes:
        tau_readout: [ours] decay of the trace of a neuron's spikes that is read out, s.
        rate_what: [ours] share of the identity error that one trial removes.
        rate_when: [ours] share of the timing error that one step removes, at a state of the usual size.
        gate: where attention lets the channel that occurred learn its timing: "trial": in all steps after the cue
            [ours]; "window": within ``gate_window`` of the event [paper], and where an event is still expected, without
            which old peaks would stay [ours].
        gate_window: [ours] s, to either side.
        expected: [ours] timing output that counts as an expectation.
        regularisation: [ours] of FORCE; its inverse correlations begin as the identity over this.
        force_every: [ours] steps between two updates of FORCE.
    """

    tau_readout: float = 30e-3
    rate_what: float = 0.03
    rate_when: float = 0.2
    gate: Literal["trial", "window"] = "window"
    gate_window: float = 0.06
    expected: float = 0.1
    regularisation: float = 1.0
    force_every: int = 2

    def __post_init__(self) -> None:
        _require_positive(self, *(each.name for each in fields(self) if each.name not in ("gate", "rate_what")))
        _require(0 <= self.rate_what <= 1, self, "rate_what", "use 0 to 1")
        _require(self.rate_when < 2, self, "rate_when", "2 or more diverges; use less")
        _require(self.gate in ("trial", "window"), self, "gate", "use 'trial' or 'window'")
