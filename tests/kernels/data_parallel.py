"""One of two processes that share a batch; run by test_data_parallel.py as a script of its own.

python data_parallel.py RANK FOLDER BACKEND
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from torch import Tensor
from torch import nn as torch_nn

from spikelab import nn

BATCH, STEPS, INPUTS = 4, 6, 5


class Output(torch_nn.Module):
    """A network's output alone, as DistributedDataParallel hands it on."""

    def __init__(self, backend: str):
        super().__init__()
        torch.manual_seed(1)
        common = {"dt": 1e-3, "tau_mem": 5e-3, "r": 4.0, "learnable": ["tau_mem"], "backend": backend}
        layers = [nn.Dense(INPUTS, 8), nn.LIF(**common), nn.Dense(8, 3), nn.AdaptiveLIF(dt=1e-3, backend=backend)]
        self.network = nn.Network.sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, N] -> [T, B, N]."""
        return self.network(x)[0]


def gradients(model: torch_nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Of a loss that is a mean over the batch."""
    target = torch.linspace(0, 1, 3)
    for _ in range(2):
        # the second step finds what the first one has built
        model.zero_grad()
        (model(x) - target).square().mean().backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def data() -> Tensor:
    """Of the whole batch [T, B, N]."""
    return 3 * torch.randn(STEPS, BATCH, INPUTS, generator=torch.Generator().manual_seed(2))


def main(rank: int, folder: Path, backend: str) -> None:
    """Takes half of the batch; the first process writes the gradients."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    model = torch_nn.parallel.DistributedDataParallel(Output(backend))
    found = gradients(model, data()[:, rank::2])
    if rank == 0:
        from safetensors.torch import save_file

        save_file({name.removeprefix("module."): value for name, value in found.items()}, folder / "gradients")
    # see spikelab/learn/distributed.py
    time.sleep(0.1)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
