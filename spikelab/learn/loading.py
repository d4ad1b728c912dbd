"""Batches: which samples, in which order - a pure function of (seed, epoch, place in the epoch)."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from spikelab.learn.distributed import Processes
from spikelab.settings import Data


def epoch_order(length: int, seed: int, epoch: int) -> np.ndarray:
    """The order of the samples in an epoch: a permutation [length] int64."""
    return np.random.default_rng([seed, epoch]).permutation(length)


class TrainingBatches:
    """Batches of a training split for one process.

    Nothing depends on which batches were loaded before, so an epoch can be entered at any batch: that is what makes
    resuming exact. A data set with random changes must make them a pure function of the epoch, which it is told by
    `set_epoch`, and the index; it must not draw from global generators. The last samples of the order that do not fill
    a batch wait for an epoch whose order favours them.

    Args:
        dataset: Map-style; its samples are dictionaries of tensors.
        data: Batch size (over all processes) and workers.
        seed: Of the order.
        processes: Each takes its share of every batch.

    Raises:
        ValueError: If there are too few samples for one batch, or the batch does not divide among the processes.
    """

    def __init__(self, dataset: Any, data: Data, seed: int, processes: Processes | None = None) -> None:
        processes = processes or Processes()
        length = _length(dataset, data.train_split)
        if length < data.batch_size:
            raise ValueError(
                f"batch_size = {data.batch_size}: the split {data.train_split!r} has only {length} samples; "
                f"use {length} or less"
            )
        if data.batch_size % processes.world_size:
            raise ValueError(
                f"batch_size = {data.batch_size}: must be a multiple of the {processes.world_size} processes"
            )
        self.steps_per_epoch = length // data.batch_size
        # One sample tells the sizes; it is what a checkpoint later says that the model was made for.
        self.sample_shapes = {key: list(x.shape) for key, x in dataset[0].items() if isinstance(x, Tensor)}
        self._dataset = dataset
        self._batches = _EpochBatches(length, data.batch_size, seed, processes)
        self._loader = _loader(dataset, self._batches, data.workers, processes.device)
        self._device = processes.device

    def epoch(self, epoch: int, start: int = 0) -> Iterator[dict[str, Any]]:
        """The batches of an epoch from number `start` on, on the device."""
        self._batches.epoch, self._batches.start = epoch, start
        if hasattr(self._dataset, "set_epoch"):
            self._dataset.set_epoch(epoch)
        for batch in _loaded(self._loader):
            yield to_device(batch, self._device)


class EvaluationBatches:
    """All samples of a split once, in order; each process takes every `world_size`-th."""

    def __init__(
        self, dataset: Any, split: str, batch_size: int, workers: int = 0, processes: Processes | None = None
    ) -> None:
        processes = processes or Processes()
        self.dataset = dataset
        indices = list(range(_length(dataset, split)))[processes.rank :: processes.world_size]
        self._batches = [indices[first : first + batch_size] for first in range(0, len(indices), batch_size)]
        self._loader = _loader(dataset, self._batches, workers, processes.device)
        self._device = processes.device

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[tuple[list[int], dict[str, Any]]]:
        """Pairs of the samples' places in the data set, and the batch on the device."""
        for indices, batch in zip(self._batches, _loaded(self._loader), strict=True):
            yield indices, to_device(batch, self._device)


def to_device(batch: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """The batch with its tensors on the device."""
    return {
        key: value.to(device, non_blocking=True) if isinstance(value, Tensor) else value for key, value in batch.items()
    }


class _EpochBatches:
    """What a DataLoader asks for batches of indices; workers stay alive while the epoch moves on."""

    def __init__(self, length: int, batch_size: int, seed: int, processes: Processes) -> None:
        self.length, self.batch_size, self.seed, self.processes = length, batch_size, seed, processes
        self.epoch = self.start = 0

    def __len__(self) -> int:
        return self.length // self.batch_size - self.start

    def __iter__(self) -> Iterator[list[int]]:
        order = epoch_order(self.length, self.seed, self.epoch)
        for batch in range(self.start, self.length // self.batch_size):
            whole = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield whole[self.processes.rank :: self.processes.world_size].tolist()


def _loaded(loader: DataLoader) -> Iterator[dict[str, Any]]:
    """What a loader gives; the death of one of its processes is explained.

    Raises:
        RuntimeError: if a process died.
    """
    try:
        yield from loader
    except RuntimeError as error:
        if "exited unexpectedly" not in str(error):
            raise
        raise RuntimeError(
            "a process that loads samples died. In a script, put the code that starts the training under "
            '`if __name__ == "__main__":` (processes are spawned and import the script), or load samples in the '
            f"process that trains (data.workers=0). If the machine is short of memory, use fewer ({error})"
        ) from error


def _loader(dataset: Any, batches: Any, workers: int, device: torch.device) -> DataLoader:
    return DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
        # Forked workers would inherit the thread pools of compiled kernels in an unusable state.
        multiprocessing_context="spawn" if workers > 0 else None,
        generator=torch.Generator(),  # its own: the loader must not draw from the generator that training uses
    )


def _length(dataset: Any, split: str) -> int:
    length = len(dataset)
    if length == 0:
        raise ValueError(f"the split {split!r} of {type(dataset).__name__} has no samples; choose another split")
    return length
