"""Times SpikingJelly's leaky neurons on a CUDA device, in its own process.

Commands come as lines of JSON on standard input, an answer goes out for each: {"do": "hello", "folder": ...}, then
{"do": "time", "dtype": ..., "shape": [T, B, N], "repeats": ...}. The device decides which of its kernels run: on
CUDA, its Triton ones where the package was installed without being compiled.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from statistics import median
from typing import Any

import torch

KEEP, THRESHOLD, ALPHA = 0.9, 1.0, 2.0
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def hello(request: dict[str, Any]) -> dict[str, Any]:
    """Makes the package in the folder importable; its version."""
    # before this file's own folder, in which another spikingjelly.py lies
    sys.path.insert(0, request["folder"])
    return {"version": metadata.version("spikingjelly"), "device": DEVICE}


def device_seconds(run: Any, repeats: int) -> float:
    """Seconds of a run on the device, median over repeats."""
    run()
    marks = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(repeats)]
    for before, after in marks:
        before.record()
        run()
        after.record()
    torch.cuda.synchronize()
    return median(before.elapsed_time(after) for before, after in marks) / 1e3


def passes(request: dict[str, Any]) -> dict[str, Any]:
    """Each pass as something to call."""
    from spikingjelly.activation_based import functional, neuron, surrogate

    layer = neuron.LIFNode(
        tau=1 / (1 - KEEP),
        decay_input=False,
        v_threshold=THRESHOLD,
        v_reset=None,
        surrogate_function=surrogate.ATan(ALPHA),
        step_mode="m",
    ).to(DEVICE)
    random = torch.Generator(DEVICE).manual_seed(0)
    x = (0.4 * torch.rand(request["shape"], generator=random, device=DEVICE)).to(getattr(torch, request["dtype"]))
    x.requires_grad_()

    def forward() -> torch.Tensor:
        functional.reset_net(layer)
        return layer(x)

    def inference() -> torch.Tensor:
        with torch.no_grad():
            return forward()

    out = forward()
    weight = torch.randn_like(out)
    return {
        "inference": inference,
        "forward": forward,
        "backward": lambda: torch.autograd.grad(out, x, weight, retain_graph=True),
    }


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to a command."""
    if request["do"] == "hello":
        return hello(request)
    runs = passes(request)
    if request["do"] == "rate":
        return {"rate": float(runs["inference"]().float().mean())}
    return {"seconds": {name: device_seconds(run, request["repeats"]) for name, run in runs.items()}}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
