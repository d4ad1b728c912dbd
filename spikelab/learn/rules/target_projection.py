"""Direct random target projection: hidden layers are told the label alone, so none waits for another."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikelab.learn.rules.direct_feedback import DirectFeedback
from spikelab.learn.task import Batch


class TargetProjection(DirectFeedback):
    """Every hidden layer is told the label, 1 for its class and 0 for the others, projected on a fixed random matrix.

    The matrix's row for the label stands for the gradient by the layer's activity: what is told does not depend on how
    good the activity is already. So it suits neurons whose output is bounded, such as spiking ones. All else is as in
    `DirectFeedback`, but each layer is done when the next one begins.

    Source: Frenkel, Lefebvre and Bol 2021, Frontiers in Neuroscience 15, arXiv 1909.01311.
    """

    depends_on_layers_above: ClassVar[bool] = False

    def measure(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """The task's loss of the readout."""
        x = self.encode(batch)
        target = functional.one_hot(batch["label"], self.classes).to(x.dtype)
        for place, layer in enumerate(self.chain.hidden):
            with torch.enable_grad():
                activity = layer.run(x)
            self.add_gradients_of(activity, layer.modules(), self.signal(place, target, activity))
            x = activity.detach()
        return self.measure_readout(x, batch)

    def signal_operations(self) -> float | None:
        """None: a row of each matrix is looked up."""
        return 0.0
