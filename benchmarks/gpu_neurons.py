"""Neurons on a CUDA device: bytes moved beside what copying reaches, time beside SpikingJelly, work before a launch.

    python -m benchmarks.gpu_neurons
    python -m benchmarks.gpu_neurons --quick
    pip install --no-deps --target .peers-gpu spikingjelly==2.0.0 loguru
    python -m benchmarks.gpu_neurons --spikingjelly .peers-gpu --write benchmarks/results

For each case: a forward pass in inference, one in training, and a backward pass. The bytes are those that a kernel must
read and write, by the sizes of its arrays; the fraction is bytes over time over what copying a gibibyte reaches on the
same device. Before anything is timed, spikes and gradients of a part are compared with the torch loop. SpikingJelly has
leaky neurons with the same dynamics, in a process of its own, in turns with ours. ``--spikingjelly`` names a folder
that holds it: a lent device has no network to install it from. Without a CUDA device nothing is measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.cases import ALPHA, KEEP, THRESHOLD
from benchmarks.machine import describe
from benchmarks.peer_process import PeerProcess
from spikelab import nn
from spikelab.kernels.keep import Keep

DT = 1e-3
PASSES = ("inference", "forward", "backward")
#: Neurons of which a case is compared with the torch loop, and the loop's steps.
COMPARED = (64, 8)
#: Bytes of the array that is copied to see what copying reaches: more than any cache holds.
COPIED = 1 << 30
HOST_CALLS = 500


class NoDevice(RuntimeError):
    """There is no CUDA device to measure."""


@dataclass(frozen=True)
class Case:
    """A layer and its input.

    Attributes:
        neuron: registry name.
        dtype: of input and output.
        shape: [T, B, N].
        learn: whether its time constant is learned.
        recompute: whether checkpoints are kept in place of values.
    """

    neuron: str
    dtype: str
    shape: tuple[int, int, int]
    learn: bool = False
    recompute: bool = False

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype itself."""
        found: torch.dtype = getattr(torch, self.dtype)
        return found

    def layer(self, backend: str = "auto") -> nn.Neuron:
        """The layer: leaky neurons keep 0.9 of their potential, gain the input itself, and lose the threshold."""
        own: dict[str, Any] = {"surrogate": "arctan", "surrogate_parameters": {"alpha": ALPHA}}
        if self.neuron == "lif":
            tau = DT / (1 - KEEP)
            own.update(method="euler", tau_mem=tau, r=tau / DT, v_threshold=THRESHOLD, reset="subtract")
        learned = ("tau_mem",) if self.learn else ()
        return nn.Neuron(self.neuron, dt=DT, backend=backend, recompute=self.recompute, learnable=learned, **own)


LARGE, LONG, SHORT = (16, 64, 16_384), (128, 64, 8_192), (4, 64, 65_536)
CASES = (
    *(Case("lif", dtype, LARGE) for dtype in ("float32", "float16", "bfloat16")),
    *(Case("lif", dtype, shape) for shape in (LONG, SHORT) for dtype in ("float32", "bfloat16")),
    Case("lif", "float32", LARGE, recompute=True),
    Case("lif", "bfloat16", LARGE, recompute=True),
    Case("lif", "float32", LARGE, learn=True),
    *(Case(neuron, dtype, LARGE) for neuron in ("cuba_lif", "adaptive_lif") for dtype in ("float32", "bfloat16")),
)


def bytes_moved(case: Case) -> dict[str, int]:
    """Bytes that each pass must read and write: its arrays, each once.

    A fresh state and a gradient of zero are one number each, and sums over neurons a few: they are not counted.
    """
    from spikelab.kernels.triton_cuda import kernel

    layer = case.layer()
    learned = (True,) * len(layer.step.coefficients)
    found = kernel(layer.options, learned, case.torch_dtype)
    x = torch.empty(case.shape, dtype=case.torch_dtype, device="meta")
    training = Keep.CHECKPOINTS if case.recompute else Keep.VALUES
    training |= Keep.COEFFICIENTS if case.learn else Keep.NOTHING

    def size(tensors: Sequence[torch.Tensor]) -> int:
        return sum(prod(tensor.shape) * tensor.dtype.itemsize for tensor in tensors)

    moved = {}
    for name, keep in (("inference", Keep.NOTHING), ("forward", training)):
        out, records, final, kept = found.results(x, int(keep))
        moved[name] = size([x, out, *records, *final, *kept])
    saved = found.saved(x, out, kept, int(training))
    grad_x, grad_state = found.gradients(saved, out, final)
    moved["backward"] = size([*saved, out, grad_x, *grad_state])
    return moved


def check_device() -> str:
    """The name of the CUDA device.

    Raises:
        NoDevice: if there is none, or kernels would run in Triton's interpreter.
    """
    if not torch.cuda.is_available():
        raise NoDevice(f"this measures a CUDA device, and torch {torch.__version__} finds none")
    from spikelab.kernels.triton.device import INTERPRETED

    if INTERPRETED:
        raise NoDevice("TRITON_INTERPRET is set: kernels would run in Triton's interpreter; unset it")
    return torch.cuda.get_device_name()


def device_seconds(run: Callable[[], object], repeats: int) -> float:
    """Seconds of a run on the device, median over repeats; events stand around each."""
    run()
    marks = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(repeats)]
    for before, after in marks:
        before.record()
        run()
        after.record()
    torch.cuda.synchronize()
    return median(before.elapsed_time(after) for before, after in marks) / 1e3


def copy_bandwidth(repeats: int) -> float:
    """Bytes a second that copying reads and writes on the device."""
    source = torch.ones(COPIED // 4, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.nbytes / device_seconds(lambda: target.copy_(source), repeats)


def sample(case: Case, device: str = "cuda") -> torch.Tensor:
    """An input at which neurons spike now and then."""
    random = torch.Generator(device).manual_seed(0)
    size = 0.4 if case.neuron == "lif" else 8.0
    return (size * torch.rand(case.shape, generator=random, device=device)).to(case.torch_dtype)


def passes(layer: nn.Neuron, x: torch.Tensor) -> dict[str, Callable[[], object]]:
    """Each pass as something to call."""
    x = x.detach().requires_grad_()
    learned = list(layer.parameters())
    out, _ = layer(x)
    weight = torch.randn_like(out)

    def inference() -> object:
        with torch.no_grad():
            return layer(x)

    return {
        "inference": inference,
        "forward": lambda: layer(x),
        "backward": lambda: torch.autograd.grad(out, [x, *learned], weight, retain_graph=True),
    }


def agrees(case: Case, device: str = "cuda") -> dict[str, float]:
    """Fraction of outputs that differ from the torch loop's in float32, and the input gradient's relative error."""
    neurons, steps = COMPARED
    part = Case(case.neuron, case.dtype, (min(steps, case.shape[0]), 2, neurons), case.learn, case.recompute)
    x = sample(part, device)
    weight = torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).to(x)
    results = []
    for backend, given in (("reference", x.float()), ("triton", x)):
        given = given.requires_grad_()
        out, _ = part.layer(backend).to(device)(given)
        (gradient,) = torch.autograd.grad(out, given, weight.to(out))
        results.append((out.float(), gradient.float()))
    (out, gradient), (found, found_gradient) = results
    return {
        "differing": float((out != found).float().mean()),
        "gradient_error": float((found_gradient - gradient).norm() / gradient.norm()),
        "rate": float(out.mean()),
    }


def host_microseconds(layer: nn.Neuron) -> dict[str, float]:
    """Microseconds of the processor's time a call, for a layer so small that the device waits for it."""
    x = torch.rand(4, 4, 32, device="cuda")
    found = {}
    for name, run in passes(layer, x).items():
        for _ in range(20):
            run()
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(HOST_CALLS):
            run()
        torch.cuda.synchronize()
        found[name] = (time.perf_counter() - start) / HOST_CALLS * 1e6
    return found


def row_of(case: Case, seconds: Mapping[str, float], copying: float) -> dict[str, Any]:
    """A case's figures: for each pass milliseconds, bytes, and the fraction of what copying reaches."""
    moved = bytes_moved(case)
    figures = {
        name: {
            "milliseconds": seconds[name] * 1e3,
            "bytes": moved[name],
            "fraction": moved[name] / seconds[name] / copying,
        }
        for name in PASSES
    }
    return {**asdict(case), "neuron_steps": prod(case.shape), "passes": figures}


def compare(case: Case, peer: PeerProcess, repeats: int) -> dict[str, Any]:
    """Ours and SpikingJelly's times of a case in turns, and the median of the ratios."""
    layer = case.layer().to("cuda")
    runs = passes(layer, sample(case))
    turns: list[dict[str, Any]] = []
    for _ in range(5):
        ours = {name: device_seconds(run, repeats) for name, run in runs.items()}
        answer = peer.ask("time", dtype=case.dtype, shape=case.shape, repeats=repeats)
        turns.append({"ours": ours, "theirs": answer["seconds"]})
    ratios = {name: median(turn["theirs"][name] / turn["ours"][name] for turn in turns) for name in PASSES}
    both = [
        sum(turn["theirs"][name] for name in PASSES[1:]) / sum(turn["ours"][name] for name in PASSES[1:])
        for turn in turns
    ]
    return {"case": asdict(case), "turns": turns, "ratios": {**ratios, "training": median(both)}}


def table(report: Mapping[str, Any]) -> str:
    """The report in Markdown."""
    lines = [
        "# Neurons on a CUDA device",
        "",
        f"{report['device']}; copying a gibibyte moves {report['copy_bandwidth'] / 1e9:.0f} GB/s. Milliseconds of a "
        "pass, and the bytes that it must move over its time over that rate.",
        "",
        "| neuron | type | T, B, N | kept | inference | forward | backward | outputs that differ | gradient error |",
        "|---" * 9 + "|",
    ]
    for row in report["rows"]:
        kept = "checkpoints" if row["recompute"] else "values"
        cells = [row["neuron"], row["dtype"], ", ".join(map(str, row["shape"])), kept + ", learned" * row["learn"]]
        cells += [
            f"{row['passes'][name]['milliseconds']:.3f} ({row['passes'][name]['fraction']:.0%})" for name in PASSES
        ]
        cells += [f"{row['agrees']['differing']:.2g}", f"{row['agrees']['gradient_error']:.2g}"]
        lines.append(f"| {' | '.join(cells)} |")
    host = report["host_microseconds"]
    lines += ["", "Microseconds from call to call of a layer so small that the device waits for the processor:", ""]
    lines += [f"- {neuron}: " + ", ".join(f"{k} {v:.0f}" for k, v in values.items()) for neuron, values in host.items()]
    if report["spikingjelly"]:
        lines += ["", f"Times of SpikingJelly {report['spikingjelly_version']} over ours, in turns:", ""]
        for each in report["spikingjelly"]:
            case = each["case"]
            told = ", ".join(f"{name} {ratio:.2f}" for name, ratio in each["ratios"].items())
            lines.append(f"- {case['dtype']}, {', '.join(map(str, case['shape']))}: {told}")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 2 where there is no CUDA device."""
    parser = argparse.ArgumentParser(description="Neurons on a CUDA device.")
    parser.add_argument("--quick", action="store_true", help="the first three cases, few repeats")
    parser.add_argument("--repeats", type=int, default=30, help="runs of each pass (30)")
    parser.add_argument("--spikingjelly", type=Path, help="folder that holds the package spikingjelly")
    parser.add_argument("--write", type=Path, help="folder for gpu_neurons.json and .md")
    given = parser.parse_args(arguments)
    try:
        device = check_device()
    except NoDevice as error:
        print(f"error: {error}; nothing was measured", file=sys.stderr)
        return 2
    repeats = 5 if given.quick else given.repeats
    cases = CASES[:3] if given.quick else CASES
    report: dict[str, Any] = {"machine": describe(), "device": device, "copy_bandwidth": copy_bandwidth(repeats)}
    report.update(rows=[], host_microseconds={}, spikingjelly=[], spikingjelly_version="")

    def write() -> None:
        # after each, so that an interrupted run keeps what it has
        if given.write:
            (given.write / "gpu_neurons.json").write_text(json.dumps(report, indent=1) + "\n")
            (given.write / "gpu_neurons.md").write_text(table(report))

    for case in cases:
        told = agrees(case)
        runs = passes(case.layer().to("cuda"), sample(case))
        seconds = {name: device_seconds(run, repeats) for name, run in runs.items()}
        report["rows"].append({**row_of(case, seconds, report["copy_bandwidth"]), "agrees": told})
        del runs
        write()
    for neuron in dict.fromkeys(case.neuron for case in cases):
        report["host_microseconds"][neuron] = host_microseconds(Case(neuron, "float32", LARGE).layer().to("cuda"))
    if given.spikingjelly:
        peer = PeerProcess(Path(sys.executable), "spikingjelly_gpu_worker.py")
        report["spikingjelly_version"] = peer.ask("hello", folder=str(given.spikingjelly))["version"]
        for case in cases:
            if case.neuron == "lif" and not case.recompute and not case.learn:
                report["spikingjelly"].append(compare(case, peer, repeats))
                write()
        peer.close()
    write()
    print(table(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
