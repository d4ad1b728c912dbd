"""What a worker does with one case: builds it, runs it, checks it, times it. Needs torch, no framework."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.cases import MODELS, Case, make_input, make_labels, make_output_gradient, make_weights


@dataclass
class Work:
    """A case ready to run.

    Attributes:
        model: from input to output.
        x: input, in the layout that the framework likes.
        gradient: of the output of a layer.
        labels: of the network's sequences.
    """

    case: Case
    model: nn.Module
    x: Tensor
    gradient: Tensor | None
    labels: Tensor | None

    def step(self) -> Tensor:
        """One training step without the optimiser, or one inference; gives the output."""
        if not self.case.backward:
            with torch.no_grad():
                return self._forward()
        # as optimizer.zero_grad does
        self.x.grad = None
        for parameter in self.model.parameters():
            parameter.grad = None
        out = self._forward()
        if self.labels is None:
            out.backward(self.gradient)
        else:
            logits = out.float() if self.case.autocast else out
            nn.functional.cross_entropy(logits.mean(0), self.labels).backward()
        return out

    def _forward(self) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.case.autocast):
            return self.model(self.x)

    def gradients(self) -> list[np.ndarray]:
        """Of the input, or of every weight, after a step."""
        if not self.case.backward:
            return []
        tensors = [self.x] if self.case.input_gradient else weights(self.model)
        return [tensor.grad.double().numpy() for tensor in tensors if tensor.grad is not None]


def weights(model: nn.Module) -> list[Tensor]:
    """Weight and bias of each dense and convolutional layer, in the order in which they were added."""
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    return [tensor for m in layers for tensor in (m.weight, m.bias) if tensor is not None]


def prepare(adapter: ModuleType, case: Case, dtype: torch.dtype = torch.float32, **options: Any) -> Work:
    """Builds the case and makes its data, which are the same in every framework."""
    torch.manual_seed(case.seed)
    model = adapter.build(case, **options)
    # models get theirs from the seed
    if case.kind not in MODELS:
        loaded = weights(model)
        with torch.no_grad():
            for tensor, value in zip(loaded, make_weights(case, [tuple(w.shape) for w in loaded]), strict=True):
                tensor.copy_(torch.from_numpy(value))
    model = model.to(dtype)
    x = torch.from_numpy(make_input(case)).to(dtype)
    if hasattr(model, "arrange"):
        x = model.arrange(x)
    x.requires_grad_(case.input_gradient)
    gradient = labels = None
    if case.has_loss:
        labels = torch.from_numpy(make_labels(case))
    elif case.backward:
        gradient = torch.from_numpy(make_output_gradient(case)).to(dtype)
    return Work(case, model, x, gradient, labels)


def write_expected(path: Path, work: Work) -> float:
    """Runs the case and keeps output and gradients in ``path``; gives the mean output."""
    out = work.step().detach()
    gradients = {f"gradient_{k}": value for k, value in enumerate(work.gradients())}
    np.savez(path, output=_compact(work.case, out), **gradients)  # type: ignore[arg-type]
    return float(out.double().mean())


def compare(path: Path, work: Work) -> dict[str, float | None]:
    """Runs the case and compares it with what ``write_expected`` kept.

    Returns:
        "rate": mean output; "differing": fraction of spikes that differ (layers), or relative error of the logits (the
        network); "gradient_error": relative error of all gradients together, None without a backward pass.
    """
    out = work.step().detach()
    gradients = work.gradients()
    with np.load(path, allow_pickle=False) as expected:
        differing = _differing(work.case, _compact(work.case, out), expected["output"], out.numel())
        pairs = [(g, expected[f"gradient_{k}"]) for k, g in enumerate(gradients)]
    error = None
    if pairs:
        wrong = sum(float(np.square(g - e).sum()) for g, e in pairs)
        error = (wrong / sum(float(np.square(e).sum()) for _, e in pairs)) ** 0.5
    return {"rate": float(out.double().mean()), "differing": differing, "gradient_error": error}


def _compact(case: Case, out: Tensor) -> np.ndarray:
    # one bit a spike
    return out.double().numpy() if case.has_loss else np.packbits(out.numpy() != 0)


def _differing(case: Case, out: np.ndarray, expected: np.ndarray, count: int) -> float:
    if out.shape != expected.shape:
        raise ValueError(f"{case.name}: the output has another size than the reference's")
    if case.has_loss:
        return float(np.linalg.norm(out - expected) / np.linalg.norm(expected))
    return float(np.bitwise_count(out ^ expected).sum()) / count


def run_for(step: Callable[[], object], seconds: float, at_most: int = 1000) -> Mapping[str, float]:
    """Repeats a step for about so long.

    Returns:
        "wall": median seconds of a step; "cpu": mean CPU seconds of a step, of all threads together; "repeats".
    """
    gc.collect()
    walls: list[float] = []
    cpu_start, start = time.process_time(), time.perf_counter()
    while True:
        before = time.perf_counter()
        step()
        now = time.perf_counter()
        walls.append(now - before)
        if now - start >= seconds or len(walls) >= at_most:
            break
    cpu = (time.process_time() - cpu_start) / len(walls)
    return {"wall": float(np.median(walls)), "cpu": cpu, "repeats": len(walls)}
