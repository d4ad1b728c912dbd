"""The ordinary half of a hybrid model in 8 bits, by onnxruntime."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("8-bit ONNX needs onnxruntime: pip install 'spikelab[deploy]'") from error
    return onnxruntime


def quantise_onnx(source: Path, target: Path, inputs: Mapping[str, Tensor], samples: int | None = None) -> None:
    """Writes an ONNX graph with 8-bit weights, one scale a channel, and 8-bit activations.

    Args:
        source: a real-valued graph for one sample.
        target: the quantised one.
        inputs: input -> samples [B, ...] that calibrate the ranges of activations; an input may hold several rows of
            each sample, [B * rows, ...].
        samples: B; None takes the length of the shortest input.

    Raises:
        ImportError: if onnxruntime is not installed.
    """
    _onnxruntime()
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Samples(CalibrationDataReader):
        """One sample after the other."""

        def __init__(self) -> None:
            self.rest: Iterator[dict[str, np.ndarray]] = _samples(inputs, samples)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.rest, None)

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared))
        logging.getLogger().addFilter(_is_news)
        try:
            quantize_static(
                str(prepared), str(target), Samples(), quant_format=QuantFormat.QDQ, per_channel=True,
                activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
            )  # fmt: skip
        finally:
            logging.getLogger().removeFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Not that weights of normalisation have no second axis to give a scale to each channel of."""
    return "is out-of-range for weight" not in record.getMessage()


def run_onnx(path: Path, inputs: Mapping[str, Tensor], samples: int | None = None) -> Tensor:
    """The first output for inputs as ``quantise_onnx`` takes them, one sample at a time.

    Raises:
        ImportError: if onnxruntime is not installed.
    """
    session = _onnxruntime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.cat([torch.as_tensor(session.run(None, sample)[0]) for sample in _samples(inputs, samples)])


def _samples(inputs: Mapping[str, Tensor], samples: int | None) -> Iterator[dict[str, np.ndarray]]:
    count = samples or min(len(value) for value in inputs.values())
    rows = {name: len(value) // count for name, value in inputs.items()}
    for k in range(count):
        yield {
            name: value[k * rows[name] : (k + 1) * rows[name]].detach().cpu().numpy() for name, value in inputs.items()
        }
