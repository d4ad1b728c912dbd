"""An input of a network as lines of its target's kernel and the arrays that they read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from spikelab.sim.inputs import InputRecord, NoiseCurrent, PoissonInput, StepCurrent
from spikelab.sim.random_numbers import poisson_table
from spikelab.sim.triton_engine.device import Device, padded
from spikelab.sim.triton_engine.poisson import INVERTED_BELOW, log_factorials


@dataclass(frozen=True)
class InputCode:
    """An input of a population, ready to be part of its kernel. All names end in the input's place and an underscore.

    Attributes:
        receptor: which it acts on.
        arguments: arrays and numbers that the kernel is given.
        before: lines before the loop over the block's steps.
        share: the expression that is added in each step.
        inside: lines of each step before it.
    """

    receptor: str
    arguments: dict[str, torch.Tensor | int]
    before: list[str]
    share: str
    inside: tuple[str, ...] = ()


class InputCoder:
    """Turns the inputs of one population into code.

    Args:
        device: where the arrays go.
        size: neurons of the population.
        dtype: of the simulation.
    """

    def __init__(self, device: Device, size: int, dtype: np.dtype):
        self._device, self._size, self._dtype = device, size, dtype

    def __call__(self, place: int, record: InputRecord) -> InputCode:
        """The code of the population's input of that place."""
        group = record.target
        ends = {f"begin_{place}_": group.first, f"end_{place}_": group.first + group.size}
        member = f"member_{place}_ = (neuron_ >= begin_{place}_) & (neuron_ < end_{place}_)"
        make = {StepCurrent: self._steps, NoiseCurrent: self._noise, PoissonInput: self._poisson}[type(record.input)]
        code: InputCode = make(place, record)
        return InputCode(record.receptor, {**ends, **code.arguments}, [member, *code.before], code.share, code.inside)

    def _steps(self, k: int, record: InputRecord) -> InputCode:
        begins, levels = record.numbers
        arguments: dict[str, torch.Tensor | int] = {
            # the last never comes
            f"begins_{k}_": self._device.tensor(np.append(begins, np.iinfo(np.int64).max)),
            f"count_{k}_": begins.size,
            # an array without elements has no address
            f"levels_{k}_": self._real(levels if levels.size else np.zeros((1, levels.shape[1]))),
            f"columns_{k}_": levels.shape[1],
        }
        return InputCode(
            record.receptor,
            arguments,
            [f"now_{k}_ = last_begun_(begins_{k}_, count_{k}_, first_)"],
            f"level_(levels_{k}_, now_{k}_, columns_{k}_, neuron_ - begin_{k}_, member_{k}_)",
            (f"now_{k}_ = begun_since_(begins_{k}_, now_{k}_, step_)",),
        )

    def _noise(self, k: int, record: InputRecord) -> InputCode:
        mean, deviation = (
            self._column(f"{name}_{k}_", value, record)
            for name, value in zip(("mean", "deviation"), record.numbers, strict=True)
        )
        arguments = {f"key_{k}_": self._key(record), **mean[0], **deviation[0]}
        share = f"noise_(key_{k}_, step_, neuron_, member_{k}_, mean_{k}_now_, deviation_{k}_now_)"
        return InputCode(record.receptor, arguments, [mean[1], deviation[1]], share)

    def _poisson(self, k: int, record: InputRecord) -> InputCode:
        mean, weight = record.numbers
        weights = self._column(f"weight_{k}_", weight, record)
        arguments = {f"key_{k}_": self._key(record), **weights[0]}
        common = f"(key_{k}_, step_, neuron_, member_{k}_,"
        if not (mean != mean[:1]).any():
            table = poisson_table(float(mean[0]) if mean.size else 0.0)
            arguments[f"table_{k}_"] = self._device.tensor(table.view(np.int64))
            return InputCode(record.receptor, arguments, [weights[1]], f"counted_{common} table_{k}_, weight_{k}_now_)")
        before = [weights[1]]
        for name, values in (("mean", mean), ("none", np.exp(-mean)), ("some", -np.expm1(-mean))):
            arrays, line = self._column(f"{name}_{k}_", values, record, np.dtype(np.float64))
            arguments.update(arrays)
            before.append(line)
        arguments[f"factorials_{k}_"] = self._device.tensor(log_factorials())
        rejection = bool((mean >= INVERTED_BELOW.value).any())
        return InputCode(
            record.receptor,
            arguments,
            before,
            f"counted_of_mean_{common} mean_{k}_now_, none_{k}_now_, some_{k}_now_, factorials_{k}_, weight_{k}_now_, "
            f"{rejection})",
        )

    def _column(
        self, name: str, values: np.ndarray, record: InputRecord, dtype: np.dtype | None = None
    ) -> tuple[dict[str, torch.Tensor | int], str]:
        """(argument, line that loads it): one value for all, or the group's, zero for the others."""
        group = record.target
        if values.size == 1:
            array, place = np.asarray(values, dtype or self._dtype), ""
        else:
            array, place = np.zeros(padded(self._size), dtype or self._dtype), " + neuron_"
            array[group.first : group.first + group.size] = values
        return {name: self._device.tensor(array)}, f"{name}now_ = tl_.load({name}{place})"

    def _key(self, record: InputRecord) -> torch.Tensor:
        return self._device.tensor(np.array([record.key], np.uint64).view(np.int64))

    def _real(self, values: np.ndarray) -> torch.Tensor:
        return self._device.tensor(np.ascontiguousarray(values, self._dtype))
