"""What the engine cannot do is refused by name. Needs no device: a network is built without launching anything."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed: pip install 'spikelab[cuda]'")

from spikelab import registry, sim
from spikelab.neurons.spec import NeuronSpec
from spikelab.sim import Network
from spikelab.sim.triton_engine.device import INTERPRETED, Device, NoDeviceError
from spikelab.sim.triton_engine.device_network import DeviceNetwork
from spikelab.sim.triton_engine.support import NotSupported, check, check_monitors

CPU = Device(torch.device("cpu"), 2)


def test_no_device():
    if INTERPRETED or torch.cuda.is_available():
        pytest.skip("there is something to run on")
    network = Network(dt=1e-4)
    network.population("cells", 1, "lif")
    with pytest.raises(NoDeviceError, match=r"needs a CUDA device.*engine='numba'.*TRITON_INTERPRET=1"):
        network.run(1e-3, engine="triton")
    # the network is free for another engine
    assert network.run(1e-3, engine="numba")["steps"] == 10


def test_no_triton():
    hidden = (
        "import sys; sys.modules['triton'] = None; from spikelab import registry; registry.load('engines', 'triton')"
    )
    ran = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, env=os.environ, check=False)
    assert ran.returncode == 1
    assert "ImportError: the engine 'triton' needs the package triton" in ran.stderr
    assert "pip install 'spikelab[cuda]'" in ran.stderr


def test_plasticity():
    network = Network(dt=1e-4)
    cells = network.population("cells", 3, "lif")
    rule = sim.Plasticity("pair_stdp", w_max=1.0)
    network.projection(cells, cells, sim.AllToAll(), receptor="current", weight=0.5)
    network.projection(cells, cells, sim.AllToAll(), receptor="current", weight=0.5, plasticity=rule)
    with pytest.raises(NotSupported, match=r"projection 1 \(cells to cells\): the engine 'triton' has no plasticity"):
        DeviceNetwork(network, CPU)


def own_neuron(equation):
    spec = registry.load("neurons", "integrator")
    assert isinstance(spec, NeuronSpec)
    return replace(spec, name="own", states=(replace(spec.states[0], derivative=equation),))


def test_a_function_without_triton_code():
    network = Network(dt=1e-4)
    network.population("cells", 3, own_neuron("x - v**2.5"), method="euler")
    with pytest.raises(NotSupported, match=r"population cells \(own\): no Triton code for the power .*engine='numba'"):
        DeviceNetwork(network, CPU)


def test_kinds_that_are_not_known():
    class Tone(sim.StepCurrent):
        pass

    network = Network(dt=1e-4)
    cells = network.population("cells", 3, "lif")
    network.input(cells, Tone([0.0], [1.0]))
    with pytest.raises(NotSupported, match=r"input 0 into cells: the engine 'triton' has no Tone, only StepCurrent"):
        check(network)
    with pytest.raises(NotSupported, match=r"a monitor: the engine 'triton' has no object"):
        check_monitors([object()])
