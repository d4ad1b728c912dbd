"""Room on the device for the samples of a state monitor; the population's kernel writes them."""

from __future__ import annotations

import numpy as np
import torch

from spikelab.sim.monitors import StateMonitor
from spikelab.sim.triton_engine.device import Device

#: Bytes of samples that a monitor may hold between two visits of the host.
_BYTES = 1 << 25


class StateRecorder:
    """Feeds a state monitor.

    Attributes:
        monitor: the monitor.
        samples: how many there is room for; sample number n is at n modulo that.
        most_steps: steps after which the samples have to be fetched.
        buffers: state -> float64 [samples, neurons].
    """

    def __init__(self, device: Device, monitor: StateMonitor):
        self.monitor = monitor
        self.samples = max(2, _BYTES // (8 * max(1, monitor.group.size) * len(monitor.names)))
        self.most_steps = (self.samples - 1) * monitor.every
        shape = self.samples, monitor.group.size
        self.buffers = {name: torch.zeros(shape, dtype=torch.float64, device=device.place) for name in monitor.names}

    def collect(self, first: int, reached: int) -> None:
        """Hands the samples of the steps from ``first`` to ``reached`` to the monitor."""
        every = self.monitor.every
        numbers = np.arange(-(-first // every), -(-reached // every))
        places = torch.as_tensor(numbers % self.samples)
        values = {name: buffer[places.to(buffer.device)].cpu().numpy() for name, buffer in self.buffers.items()}
        self.monitor.append(numbers * every, values)
