"""A session: blocks of trials, learning, and test trials of the cue alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spikelab.sim.random_numbers import stream_key
from spikelab.sim.what_and_when.parameters import (
    DEFAULT_BLOCKS,
    Block,
    LearningParameters,
    ReservoirParameters,
    TaskParameters,
)
from spikelab.sim.what_and_when.readout import Readout, find_rule, require_loop
from spikelab.sim.what_and_when.reservoir import CHANNELS, Reservoir
from spikelab.sim.what_and_when.trial import FIXED, FORCE, THREE_FACTOR, Lesson, Record, Wires

_EVENTS = 101
#: Random numbers of the fresh noise: of learning trials, of test trials, and of the trial that sets the scale.
_LEARNING, _TESTS, _SCALE = 1 << 20, 1 << 21, 1 << 22


@dataclass(eq=False)
class SessionResult:
    """What a session found.

    Attributes:
        rule: its name.
        seed: of the reservoir and of the events.
        trials: learning trials before each test, counted over all blocks, int [tests].
        blocks: block of each test, int [tests].
        trials_in_block: the same, counted from the block's beginning.
        errors: of each test, see ``relative_error``, [tests].
        amplitudes: largest prediction of each test, [tests, channels].
        predictions: of the last test of each block, [blocks, steps, channels].
        truths: what they should be, [blocks, steps, channels].
        rate: mean rate of the neurons over the tests, Hz.
    """

    rule: str
    seed: int
    trials: list[int] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    trials_in_block: list[int] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    amplitudes: list[list[float]] = field(default_factory=list)
    predictions: list[np.ndarray] = field(default_factory=list)
    truths: list[np.ndarray] = field(default_factory=list)
    rate: float = 0.0

    def at_end(self) -> list[float]:
        """The error of each block's last test."""
        return [
            [error for error, its in zip(self.errors, self.blocks, strict=True) if its == block][-1]
            for block in dict.fromkeys(self.blocks)
        ]


def relative_error(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square difference over the root mean square of the truth; predicting nothing gives 1."""
    return float(np.linalg.norm(prediction - truth) / np.linalg.norm(truth))


class Session:
    """One reservoir with one pair of readouts.

    Args:
        rule: name in ``RULES``.
        reservoir: the network, or the parameters to build it from.
        task: the trial.
        learning: the readouts' numbers.
        draw: sessions of one reservoir and another number here have other events and other fresh noise.

    Attributes:
        readout: the weights, which change.
        trial: learning trials so far.
        record: what the last trial left.
        scale: what a spike adds to the trace, so that the state after the cue has a mean square length of 1.
    """

    def __init__(
        self,
        rule: str,
        reservoir: Reservoir | ReservoirParameters,
        task: TaskParameters | None = None,
        learning: LearningParameters | None = None,
        draw: int = 0,
    ):
        self.name, self.rule = rule, find_rule(rule)
        self.task, self.learning = task or TaskParameters(), learning or LearningParameters()
        self.reservoir = (
            Reservoir.build(reservoir, self.task) if isinstance(reservoir, ReservoirParameters) else reservoir
        )
        parameters = self.reservoir.parameters
        if len(self.reservoir.drive) != self.task.steps:
            raise ValueError(
                f"the reservoir was built for trials of {len(self.reservoir.drive)} ms, the task has "
                f"{self.task.steps} ms; build it with this task"
            )
        self._feedback, self._closed = parameters.feedback, parameters.feedback > 0
        require_loop(rule, self._feedback)
        count = parameters.neurons
        self.readout = Readout.untrained(count, CHANNELS, self.rule, self.learning.regularisation)
        self.trial = 0
        keeps = self.rule.update == "force" and not self._closed
        self.record = Record(
            np.zeros((self.task.steps, CHANNELS)),
            np.zeros(count),
            np.zeros((self.task.steps if keeps else 0, count)),
            np.zeros(self.task.steps, np.int64),
        )
        self._draw = draw
        self._events = np.random.default_rng([parameters.seed, _EVENTS, draw])
        self._wires = Wires(
            self.reservoir.starts, self.reservoir.targets, self.reservoir.weights, self.reservoir.feedback
        )
        self.scale = 1.0
        self.scale = self._usual_scale()

    def learn(self, block: Block, event: int | None = None) -> int:
        """One trial: an event is drawn, or given, and both readouts learn. Returns the event, 0 for A and 1 for B."""
        self.task.check(block)
        drawn = int(self._events.random() >= block.probability)
        event = drawn if event is None else event
        target = np.zeros((self.task.steps, CHANNELS))
        target[:, event] = self.bump(block.latencies[event])
        self._run(self.lesson(block, event, target), _LEARNING + self.trial)
        self.readout.learn_what(self._mean_state(), event, self.learning.rate_what)
        if self.rule.update == "force" and not self._closed:
            chosen = slice(self.task.after_cue, None, self.learning.force_every)
            channels = [event] if self.rule.gated else list(range(CHANNELS))
            place = event if self.rule.gated else 0
            self.readout.learn_force(self.record.states[chosen], target[chosen], place, channels)
        if not np.isfinite(self.readout.when).all():
            raise FloatingPointError(
                f"rule {self.name!r} diverged in trial {self.trial + 1}: the timing readout is not finite; "
                f"a smaller rate_when (it is {self.learning.rate_when:g}) or feedback ({self._feedback:g}) helps"
            )
        self.trial += 1
        return event

    def test(self) -> np.ndarray:
        """A trial of the cue alone, without learning: the prediction of each event, [steps, channels]."""
        none = np.zeros((self.task.steps, CHANNELS))
        lesson = Lesson(FIXED, none, np.zeros(CHANNELS), none, 0.0, self.task.after_cue, 0.0, 1)
        self._run(lesson, _TESTS + self.trial)
        prediction = np.maximum(self.record.outputs, 0.0)
        if self.rule.multiplied:
            prediction *= np.clip(self.readout.what @ self._mean_state(), 0.0, 1.0)
        prediction[: self.task.after_cue] = 0.0
        return prediction

    def truth(self, block: Block) -> np.ndarray:
        """What should be predicted: each event's bump times its probability, [steps, channels]."""
        shares = (block.probability, 1.0 - block.probability)
        bumps = [share * self.bump(latency) for share, latency in zip(shares, block.latencies, strict=True)]
        return np.stack(bumps, axis=1)

    def bump(self, latency: float) -> np.ndarray:
        """The course of an event that follows the cue by ``latency`` seconds, [steps]."""
        times = np.arange(self.task.steps) * 1e-3
        return np.exp(-0.5 * ((times - self.task.cue - latency) / self.task.width) ** 2)

    def switched(self) -> None:
        """Tells that the statistics changed, which only FORCE with resets listens to."""
        if self.rule.reset:
            self.readout.forget(self.learning.regularisation)

    def lesson(self, block: Block, event: int, target: np.ndarray) -> Lesson:
        """What a trial with this event teaches; ``target`` is what the outputs should be, [steps, channels]."""
        learning = self.learning
        mode = THREE_FACTOR if self.rule.update == "three_factor" else FORCE if self._closed else FIXED
        allowed = np.ones(CHANNELS)
        if self.rule.gated:
            allowed = np.eye(CHANNELS)[event]
        window = np.ones_like(target)
        if self.rule.gated and learning.gate == "window":
            times = np.arange(self.task.steps) * 1e-3 - self.task.cue
            near = [np.abs(times - latency) < learning.gate_window for latency in block.latencies]
            window = np.stack(near, axis=1).astype(float)
        first, every = self.task.after_cue, learning.force_every
        return Lesson(mode, target, allowed, window, learning.expected, first, learning.rate_when, every)

    # ------------------------------------------------------------------------------------------------------- pieces

    def _run(self, lesson: Lesson, stream: int) -> None:
        reservoir, inverse = self.reservoir, self.readout.inverse
        reservoir.reset()
        reservoir.trial(
            reservoir.arguments,
            reservoir.flags,
            reservoir.current,
            reservoir.arriving,
            self._wires,
            reservoir.drive,
            reservoir.parameters.fresh_noise,
            stream_key(reservoir.parameters.seed, stream + (self._draw << 32)),
            math.exp(-1e-3 / self.learning.tau_readout),
            self.scale,
            self.readout.when,
            inverse[0] if len(inverse) else np.zeros((0, 0)),
            lesson,
            self.record,
        )

    def _mean_state(self) -> np.ndarray:
        """The mean state after the cue, of length 1; zero if nothing spiked."""
        length = float(np.linalg.norm(self.record.mean))
        return self.record.mean / length if length else self.record.mean.copy()

    def _usual_scale(self) -> float:
        """What a spike adds to the trace, so that the state after the cue has a mean square length of 1."""
        count = self.reservoir.parameters.neurons
        kept, self.record = self.record, self.record._replace(states=np.zeros((self.task.steps, count)))
        none = np.zeros((self.task.steps, CHANNELS))
        self._run(Lesson(FIXED, none, np.zeros(CHANNELS), none, 0.0, self.task.after_cue, 0.0, 1), _SCALE)
        squares = np.square(self.record.states[self.task.after_cue :]).sum(axis=1).mean()
        self.record = kept
        if not squares:
            raise ValueError("the reservoir is silent after the cue; raise background, gain or cue_strength")
        return float(1.0 / np.sqrt(squares))


def run_session(
    rule: str,
    reservoir: Reservoir | ReservoirParameters,
    blocks: Sequence[Block] = DEFAULT_BLOCKS,
    task: TaskParameters | None = None,
    learning: LearningParameters | None = None,
    on_trial: Callable[[], Any] | None = None,
) -> SessionResult:
    """Trains through the blocks, with test trials on the way.

    Args:
        rule: name in ``RULES``.
        reservoir: the network, or its parameters.
        blocks: statistics switch abruptly from one to the next.
        task: the trial.
        learning: the readouts' numbers.
        on_trial: called after each learning trial, for a progress bar.

    Raises:
        ValueError: for an unknown rule, no blocks, or a block that does not fit into the trial.
        FloatingPointError: if learning diverges.
    """
    if not blocks:
        raise ValueError("run_session: blocks is empty; give at least one")
    session = Session(rule, reservoir, task, learning)
    for block in blocks:
        session.task.check(block)
    result, spikes, tests = SessionResult(rule, session.reservoir.parameters.seed), 0, 0
    for number, block in enumerate(blocks):
        if number:
            session.switched()
        truth = session.truth(block)
        for trial in range(1, block.trials + 1):
            session.learn(block)
            if trial in session.task.tests or trial == block.trials:
                prediction = session.test()
                spikes, tests = spikes + int(session.record.spikes.sum()), tests + 1
                result.trials.append(session.trial)
                result.blocks.append(number)
                result.trials_in_block.append(trial)
                result.errors.append(relative_error(prediction, truth))
                result.amplitudes.append(prediction.max(axis=0).tolist())
            if on_trial is not None:
                on_trial()
        result.predictions.append(prediction)
        result.truths.append(truth)
    neurons = session.reservoir.parameters.neurons
    result.rate = spikes / (tests * neurons * session.task.duration)
    return result
