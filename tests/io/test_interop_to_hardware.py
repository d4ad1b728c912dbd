"""A network written in snnTorch or Norse goes on to integers: what these libraries do by default can be exported."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spikelab.hw.agreement import agreement
from spikelab.hw.lower import Quantisation, lower

snntorch = pytest.importorskip("snntorch")


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_snntorch_network_with_its_defaults(reset):
    from spikelab.io.interop_snntorch import from_snntorch

    torch.manual_seed(0)
    leaky = {"beta": 0.9, "init_hidden": True, "reset_mechanism": reset}
    theirs = nn.Sequential(
        nn.Linear(30, 40), snntorch.Leaky(**leaky), nn.Linear(40, 10), snntorch.Leaky(**leaky, output=True)
    )
    network = from_snntorch(theirs, input_shape=(30,))
    x = (torch.rand((80, 8, 30), generator=torch.Generator().manual_seed(1)) < 0.4).float()
    for layer in agreement(lower(network, "generic", Quantisation(8), (30,)), network, x):
        assert layer.rate > 0.005
        assert layer.equal > 0.98
