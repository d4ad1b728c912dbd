"""Nothing against forgetting, and everything: the two ends between which methods are judged."""

from __future__ import annotations

from typing import ClassVar

from spikelab.learn.continual.method import ContinualMethod


class Sequential(ContinualMethod):
    """Trains on one task after the other and does nothing else: the lower bound."""


class Joint(ContinualMethod):
    """Trains on all tasks so far each time: the upper bound, which keeps all data.

    An epoch of the last of N tasks has N times the samples of the first one's.
    """

    keeps_all_data: ClassVar[bool] = True
