"""Runs a NIR file in another framework, within that framework's own environment.

    python benchmarks/interop_peer.py FRAMEWORK DT GRAPH.nir INPUT.npy OUTPUT.npy [GRAPH.nir INPUT.npy OUTPUT.npy ...]

Input and output are [T, B, N]. On standard output, in the last line: {"version": ..., "nir": ...}, with "error" where
the framework's reader refuses a file or cannot run it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any

import nir
import numpy as np
import torch


def run_spikingjelly(path: str, x: torch.Tensor, dt: float) -> torch.Tensor:
    """Step by step, with the state passed on."""
    from spikingjelly.activation_based import nir_exchange

    module: Any = nir_exchange.import_from_nir(nir.read(path), dt=dt)
    state, steps = None, []
    for now in x:
        out, state = module(now, state)
        steps.append(out)
    return torch.stack(steps)


def run_sinabs(path: str, x: torch.Tensor, dt: float) -> torch.Tensor:
    """Time and batch in one dimension, batch first, as Sinabs's squeezing layers want it."""
    from sinabs.nir import from_nir

    steps, batch = x.shape[:2]
    module = from_nir(nir.read(path), batch_size=batch)
    out = module(x.transpose(0, 1).flatten(0, 1))
    out = out[0] if isinstance(out, tuple) else out
    return out.unflatten(0, (batch, steps)).transpose(0, 1)


RUN: dict[str, Callable[[str, torch.Tensor, float], torch.Tensor]] = {
    "spikingjelly": run_spikingjelly,
    "sinabs": run_sinabs,
}


def main(arguments: list[str]) -> None:
    """The command line."""
    framework, dt, *files = arguments
    answer = {"version": metadata.version(framework), "nir": metadata.version("nir"), "torch": torch.__version__}
    try:
        for graph, source, target in zip(files[::3], files[1::3], files[2::3], strict=True):
            with torch.no_grad():
                out = RUN[framework](graph, torch.from_numpy(np.load(source)), float(dt))
            np.save(target, out.numpy())
    except Exception as error:
        answer["error"] = f"{type(error).__name__}: {error}".splitlines()[0]
    print("\n" + json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
