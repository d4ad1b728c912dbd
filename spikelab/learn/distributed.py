"""Several processes that train one model, started by torchrun; one process is the same thing with one rank."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn


@dataclass(frozen=True)
class Processes:
    """The processes of a run, seen from one of them.

    Attributes:
        rank: Number of this process, from 0.
        world_size: How many there are.
        device: Where this one computes.
    """

    rank: int = 0
    world_size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and messages."""
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model as it must be called for training: with gradients averaged over the processes."""
        if self.world_size == 1:
            return model
        return nn.parallel.DistributedDataParallel(
            model,
            device_ids=None if self.device.type == "cpu" else [self.device.index],
            broadcast_buffers=False,  # running statistics are averaged before they are used: `average_buffers`
            static_graph=True,
        )

    def add_up(self, tensors: list[Tensor]) -> None:
        """Replace each tensor, in place, by its sum over the processes."""
        if self.world_size == 1:
            return
        for tensor in tensors:
            there = tensor.to(self.device)  # nccl takes no tensor of the CPU
            torch.distributed.all_reduce(there)
            tensor.copy_(there)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Make gradients the mean over the processes, in place, for rules that write them without a backward pass.

        A parameter that one process has given a gradient must have one in all.
        """
        if self.world_size == 1:
            return
        for parameter in parameters:
            if parameter.grad is not None:
                torch.distributed.all_reduce(parameter.grad)
                parameter.grad.div_(self.world_size)

    def average_buffers(self, model: nn.Module) -> None:
        """Make floating-point buffers (running statistics) the mean over the processes, in place.

        Each process has seen other samples; without this a checkpoint would hold the statistics of the first alone.
        """
        if self.world_size == 1:
            return
        for buffer in model.buffers():
            if buffer.is_floating_point():
                torch.distributed.all_reduce(buffer)
                buffer.div_(self.world_size)

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, by rank."""
        if self.world_size == 1:
            return [value]
        values: list[Any] = [None] * self.world_size
        torch.distributed.all_gather_object(values, value)
        return values

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """Let the main process go through a block before the others: it fills caches that they then find."""
        if self.world_size > 1 and not self.is_main:
            torch.distributed.barrier()
        yield
        if self.world_size > 1 and self.is_main:
            torch.distributed.barrier()


def pick_device(name: str, local_rank: int = 0) -> torch.device:
    """The device that a setting names; `auto` is a GPU where there is one.

    Raises:
        ValueError: If the device is not there.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if available[kind])
    device = torch.device(name)
    if not available.get(device.type, False):
        raise ValueError(f"device = {name!r}: not available here; use auto or cpu")
    if device.type == "cuda":
        index = local_rank if device.index is None else device.index
        if index >= torch.cuda.device_count():
            raise ValueError(f"device = {name!r}: there is no GPU {index}; there are {torch.cuda.device_count()}")
        device = torch.device("cuda", index)
        torch.cuda.set_device(device)
    return device


@contextmanager
def join_processes(device: str) -> Iterator[Processes]:
    """Join the other processes where torchrun has started this one, else stand alone.

    Args:
        device: As in the settings; `cuda` gives each process of a machine a GPU of its own.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    chosen = pick_device(device, local_rank)
    if world_size == 1:
        yield Processes(device=chosen)
        return
    torch.distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Processes(torch.distributed.get_rank(), world_size, chosen)
    finally:
        # gloo's threads need Python's lock to let go of the last sums, and whoever takes the group down waits for them
        # while holding it: seen to last for ever (torch 2.13). So they get a moment first, in which it is free.
        time.sleep(0.1)
        torch.distributed.destroy_process_group()
