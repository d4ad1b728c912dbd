"""What the readouts know, and the table of rules by which they learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from spikelab.registry import suggestion


@dataclass(frozen=True)
class ReadoutRule:
    """How the timing readout learns; the identity readout is the same for all.

    Attributes:
        title: in pictures.
        update: "three_factor" (presynaptic state x timing error x attention, every step) or "force" (recursive least
            squares).
        gated: whether only the channel whose event occurred learns.
        reset: whether FORCE forgets its correlations where statistics switch, which it has to be told.
        multiplied: whether the prediction is identity times timing, else timing alone.
    """

    title: str
    update: Literal["three_factor", "force"]
    gated: bool
    reset: bool = False
    multiplied: bool = True


#: What can be compared. FORCE is Sussillo & Abbott 2009: every channel learns in every trial, towards zero where its
#: event did not occur. So its timing output is the bump times its probability already, and the product has that twice;
#: "force_merged" is FORCE without the product, one readout for both. "force_gated" learns only the channel that
#: occurred, as the three-factor rule does, which tells apart what the gate and what the memory of least squares do.
RULES = {
    "three_factor": ReadoutRule("gated three-factor", "three_factor", gated=True),
    "two_factor": ReadoutRule("two-factor, no gate", "three_factor", gated=False),
    "force": ReadoutRule("FORCE", "force", gated=False),
    "force_gated": ReadoutRule("FORCE, gated", "force", gated=True),
    "force_merged": ReadoutRule("FORCE, one readout", "force", gated=False, multiplied=False),
    "force_reset": ReadoutRule("FORCE, reset at switches", "force", gated=False, reset=True),
    "force_merged_reset": ReadoutRule("FORCE, one readout, reset", "force", gated=False, reset=True, multiplied=False),
}


def find_rule(name: str) -> ReadoutRule:
    """A rule by name.

    Raises:
        ValueError: for an unknown name; tells a close one.
    """
    if name not in RULES:
        raise ValueError(f"unknown rule {name!r}; {suggestion(name, list(RULES))}")
    return RULES[name]


def require_loop(name: str, feedback: float) -> None:
    """Refuses a rule that learns after each trial where its outputs act on the trial.

    Raises:
        ValueError: for an unknown name, or such a rule.
    """
    rule = find_rule(name)
    if feedback > 0 and rule.update == "force" and rule.gated:
        raise ValueError(f"rule {name!r} learns after each trial, so it needs an open loop: feedback = 0")


@dataclass(eq=False)
class Readout:
    """The weights that learn.

    Attributes:
        what: identity: mean state of a trial -> expectation of each event, [channels, neurons].
        when: timing: state of a step -> output of each channel, [channels, neurons].
        inverse: of FORCE, for each channel's own past or one for all: inverse correlations of states,
            [1 or channels, neurons, neurons]; [0, 0, 0] without FORCE.
    """

    what: np.ndarray
    when: np.ndarray
    inverse: np.ndarray

    @classmethod
    def untrained(cls, neurons: int, channels: int, rule: ReadoutRule, regularisation: float = 1.0) -> Readout:
        """All weights zero."""
        several = (channels if rule.gated else 1) if rule.update == "force" else 0
        readout = cls(
            np.zeros((channels, neurons)),
            np.zeros((channels, neurons)),
            np.zeros((several, neurons if several else 0, neurons if several else 0)),
        )
        readout.forget(regularisation)
        return readout

    def forget(self, regularisation: float) -> None:
        """FORCE begins its correlations anew; weights stay."""
        for inverse in self.inverse:
            inverse[:] = 0.0
            np.fill_diagonal(inverse, 1.0 / regularisation)

    def learn_what(self, state: np.ndarray, event: int, rate: float) -> None:
        """The two-factor rule, once a trial: presynaptic state x identity error.

        Args:
            state: mean state of the trial, of length 1, [neurons].
            event: 0 for A, 1 for B.
            rate: share of the error that is removed.
        """
        occurred = np.zeros(len(self.what))
        occurred[event] = 1.0
        self.what += rate * np.outer(occurred - self.what @ state, state)

    def learn_force(self, states: np.ndarray, targets: np.ndarray, place: int, channels: list[int]) -> None:
        """Recursive least squares over many steps at once: the same weights as step by step, by matrix products.

        It needs all states first, so it serves where outputs do not act on them. With the states R, the gain is
        P R' (1 + R P R')^-1, a few products of [neurons, neurons] by [steps, neurons] rather than passes over the
        [neurons, neurons] for each step.

        Args:
            states: [steps, neurons].
            targets: [steps, channels].
            place: which of ``inverse``.
            channels: that learn.
        """
        inverse = self.inverse[place]
        projected = states @ inverse
        inner = projected @ states.T
        inner[np.diag_indices_from(inner)] += 1.0
        gain = np.linalg.solve(inner, projected)
        self.when[channels] += (targets[:, channels] - states @ self.when[channels].T).T @ gain
        inverse -= projected.T @ gain
        # rounding would make it less and less symmetric
        inverse += inverse.T
        inverse *= 0.5
