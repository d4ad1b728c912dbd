"""Which validation was the best, and when to give up hoping for a better one."""

from dataclasses import dataclass


@dataclass
class BestScore:
    """The best score so far, and how many validations have passed since.

    Attributes:
        value: The best score; None before the first.
        epoch: Epochs completed when it was reached.
        stale: Validations since.
    """

    value: float | None = None
    epoch: int = 0
    stale: int = 0

    def update(self, score: float | None, epoch: int, higher_is_better: bool = True) -> bool:
        """Take in a score (None: undefined, never better) and say whether it is the best so far."""
        better = score is not None and (
            self.value is None or (score > self.value if higher_is_better else score < self.value)
        )
        if better:
            self.value, self.epoch, self.stale = score, epoch, 0
        else:
            self.stale += 1
        return better

    def exhausted(self, patience: int) -> bool:
        """Whether `patience` validations in a row brought nothing better; never with a patience of 0."""
        return 0 < patience <= self.stale
