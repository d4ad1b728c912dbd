"""Gradient projection memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spikelab.learn.continual.activity import Presynaptic, WeightInputs, over_time, rows
from spikelab.learn.continual.learner import Learner
from spikelab.learn.continual.projection import ProjectionMethod, for_each
from spikelab.learn.continual.stream import TaskData
from spikelab.learn.continual.subspace import orthonormal, principal_directions, without


class GPM(ProjectionMethod):
    """After each task, adds the main directions of what arrives at weights to their protected subspace.

    The subspace grows by the fewest principal directions of what it does not hold yet, until it holds a share of the
    inputs' energy (their squared length).

    Args:
        learner: Model, task and rule.
        energy: Share to be held, 0 to 1: one for all weights, or one for each. None takes 0.95 for the first and 0.99
            for the others.
        samples: Of a task, to look at.
        presynaptic: "spikes" of every step, firing "rates" or "traces" (`activity.over_time`).
        decay: Of rates and traces.
        largest_rows: Rows (steps, samples and places) to look at; of more, evenly spaced ones are taken.

    Raises:
        ValueError: For a share outside of 0 to 1, or no sample.
        UnsupportedError: See `ProjectionMethod`.

    Source: Saha, Garg and Roy 2021, ICLR, equations 7 to 9; for the first layer's share the authors' settings for
    permuted MNIST.
    """

    def __init__(
        self,
        learner: Learner,
        energy: Sequence[float] | None = None,
        samples: int = 300,
        presynaptic: Presynaptic = "spikes",
        decay: float = 0.5,
        largest_rows: int = 20_000,
    ) -> None:
        super().__init__(learner)
        if energy is None:
            energy = [0.95] + [0.99] * (len(self.protected) - 1)
        if not all(0 < share <= 1 for share in energy) or samples < 1 or largest_rows < 1:
            raise ValueError(
                f"gpm: energy = {list(energy)}, samples = {samples}, largest_rows = {largest_rows}: shares lie above 0 "
                "and up to 1, and at least 1 sample and row are needed"
            )
        self.energy = for_each(energy, list(self.protected), "gpm: energy")
        self.samples, self.presynaptic, self.decay, self.largest_rows = samples, presynaptic, decay, largest_rows
        self.inputs = WeightInputs(self.protected)

    def end_task(self, data: TaskData) -> None:
        """Grows the subspaces."""
        batch = data.some(self.samples, torch.Generator().manual_seed(self.tasks_done))
        model = self.learner.model
        training = model.training
        model.eval()
        with self.inputs.keep(), torch.no_grad():
            self.learner.task.forward(model, batch)
        model.train(training)
        for name, weights in self.protected.items():
            x = rows(weights, over_time(self.inputs.take(name), self.presynaptic, self.decay))
            x = x[:: -(-len(x) // self.largest_rows)]
            self.bases[name] = grown(self.bases[name], x, self.energy[name])


def grown(basis: Tensor, x: Tensor, energy: float) -> Tensor:
    """A subspace with the fewest directions more by which it holds a share of the energy of rows.

    Args:
        basis: Orthonormal rows [K, N]; K may be 0.
        x: Rows [R, N].
        energy: The share, 0 to 1.
    """
    total = x.double().square().sum()
    rest = without(x, basis) if len(basis) else x
    missing = rest.double().square().sum()
    if total == 0 or total - missing >= energy * total:
        return basis
    directions, energies = principal_directions(rest)
    held = (total - missing + energies.double().cumsum(0)) / total
    # rounding may keep the sum a hair below a share of 1
    count = min(int((held < energy - 1e-9).sum()) + 1, len(directions), basis.shape[1] - len(basis))
    return torch.cat([basis, orthonormal(directions[:count], basis)])
