"""Hidden layers that stay as they were drawn: the control without which no local rule's accuracy says anything."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from spikelab.learn.rules.local_rule import LocalRule
from spikelab.learn.task import Batch


class Frozen(LocalRule):
    """Trains the readout alone, by the task's loss, through time."""

    memory_grows_with_time: ClassVar[bool] = True

    def measure(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """The task's loss."""
        x = self.encode(batch)
        with torch.no_grad():
            for layer in self.chain.hidden:
                x = layer.run(x)
        return self.measure_readout(x, batch)

    def signal_operations(self) -> float | None:
        """None is needed."""
        return 0.0
