"""The spiking part of a model: what hardware export takes out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from spikelab.nn.network import Network


@dataclass(frozen=True)
class SpikingPart:
    """A network within a model, and how it is fed.

    A model that can be exported to event hardware has a method ``spiking_part(sample_shapes)``, which takes the shapes
    of one sample by name (without the batch) and returns this.

    Attributes:
        network: the part itself, sharing its parameters with the model.
        input_shape: of one step, without time and batch, such as (2, 34, 34).
        encode: makes the network's input [T, B, ...] out of a batch of the data set.
        outputs: nodes that the rest of the model reads, beside the network's own output.
        input_bits: bits that the input needs where it is real-valued; 0 where it is whole: spikes or counts.
        input_low: smallest input.
        input_high: largest input.
        encoding: in words, how a sample becomes the input, for who feeds a chip.
        decoding: in words, how outputs become an answer.
        remedy: which options of the model keep the part from having a form for NIR or hardware, and what to use in
            their place; "" where none do.
    """

    network: Network
    input_shape: tuple[int, ...]
    encode: Callable[[Mapping[str, Any]], Tensor]
    outputs: tuple[str, ...] = ()
    input_bits: int = 0
    input_low: float = 0.0
    input_high: float = 1.0
    encoding: str = ""
    decoding: str = ""
    remedy: str = ""

    @contextmanager
    def with_remedy(self) -> Iterator[None]:
        """Adds the remedy to an error about a form that the part does not have."""
        try:
            yield
        except ValueError as error:
            if not self.remedy:
                raise
            raise type(error)(f"{error}\n  {self.remedy}") from error
