"""Every kind of kernel compiles to machine code of a GPU, which needs Triton's compiler but no GPU.

The interpreter is more lenient than the compiler: it lets a variable change its type within a loop, for one.
"""

import re

import numpy as np
import pytest
import torch

triton = pytest.importorskip("triton", reason="Triton is not installed: pip install 'spikelab[cuda]'")

from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402

from spikelab import registry, sim  # noqa: E402
from spikelab.sim import Network, Receptor  # noqa: E402
from spikelab.sim.triton_engine.device import INTERPRETED, Device  # noqa: E402
from spikelab.sim.triton_engine.device_network import DeviceNetwork  # noqa: E402
from spikelab.sim.triton_engine.state_recorder import StateRecorder  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(INTERPRETED, reason="TRITON_INTERPRET is set: there is no compiler in this process"),
]

CPU = Device(torch.device("cpu"), 2)
POINTERS = {
    torch.float64: "*fp64",
    torch.float32: "*fp32",
    torch.int64: "*i64",
    torch.int32: "*i32",
    torch.int16: "*i16",
    torch.uint8: "*u8",
}


def assembly(launch, architecture=80):
    """PTX of a launch's kernel; the machine code behind it was made as well."""
    signature = {
        name: POINTERS[value.dtype] if isinstance(value, torch.Tensor) else "i32"
        for name, value in launch.arguments.items()
    }
    signature.update(dict.fromkeys(launch.constants, "constexpr"))
    source = ASTSource(launch.kernel, signature, dict(launch.constants))
    options = {"num_warps": launch.warps, "enable_fp_fusion": False}
    compiled = triton.compile(source, target=GPUTarget("cuda", architecture, 32), options=options)
    assert len(compiled.asm["cubin"]) > 1000
    return compiled.asm["ptx"]


def launches(build, **settings):
    network = Network(**{"dt": 1e-4, "seed": 3, **settings})
    build(network)
    built = DeviceNetwork(network, CPU)
    built.plan([StateRecorder(CPU, each) for each in network.monitors])
    return {launch.kernel.fn.__name__: launch for launch in built.launches}, built.launches


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("neuron", registry.names("neurons"))
def test_neurons(neuron, dtype):
    def build(network):
        cells = network.population("cells", 200, neuron, refractory=1e-3)
        spec = cells.neuron
        network.record_states(cells[:20], spec.state_names)

    found, _ = launches(build, dtype=dtype)
    text = assembly(found["advance"])
    spikes = registry.load("neurons", neuron).spikes
    assert ("atom." in text) == spikes
    # a product and a sum are rounded apart, but for those inside exp and its like, which have no other form
    if not any(word in found["advance"].kernel.src for word in ("exp(", "tanh_(", "log(")):
        assert f"fma.rn.f{dtype[-2:]}" not in text


def everything(network):
    receptors = {
        "jump": Receptor("delta"),
        "slow": Receptor("alpha_current"),
        "conductance": Receptor("exponential_conductance"),
    }
    cells = network.population("cells", 300, "lif", receptors=receptors, tau_mem=sim.Uniform(1e-2, 2e-2), bias=1.0)
    source = network.source("source", 30, sim.PoissonSource(rate=np.linspace(0.0, 100.0, 30)))
    given = network.source("given", 3, sim.SpikeArray([1e-3], [2]))
    network.projection(source, cells, sim.AllToAll(), receptor="jump", weight=1.0)
    network.projection(given, cells, sim.AllToAll(), receptor="slow", weight=sim.Normal(1.0, 0.1))
    for longest in (2e-3, 200e-3):
        delay = sim.Uniform(1e-4, longest)
        network.projection(cells, cells, sim.FixedOutDegree(9), receptor="conductance", weight=1.0, delay=delay)
        weight = sim.Uniform(0.0, 1.0)
        network.projection(cells, cells, sim.FixedOutDegree(9), receptor="conductance", weight=weight, delay=delay)
    wide = network.population("wide", 70_000, "integrator")
    network.projection(given, wide, sim.Explicit([0], [69_999]), receptor="current", weight=1.0)
    network.input(cells, sim.NoiseCurrent(sim.Uniform(0.0, 1.0)))
    network.input(cells[:50], sim.StepCurrent([0.0], [1.0]))
    network.input(cells, sim.PoissonInput(rate=100.0, weight=1.0), receptor="jump")
    network.input(cells, sim.PoissonInput(rate=sim.Uniform(1.0, 2e5), weight=1.0), receptor="conductance")
    network.input(cells, sim.PoissonInput(rate=sim.Uniform(1.0, 9.0), weight=sim.Uniform(0.0, 1.0)), receptor="current")
    network.record_states(cells, "v", every=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_else(dtype):
    _, all_launches = launches(everything, dtype=dtype)
    texts: dict[str, list[str]] = {}
    for launch in all_launches:
        texts.setdefault(launch.kernel.fn.__name__, []).append(assembly(launch))
    assert set(texts) == {"open_block", "advance", "draw_spikes", "copy_spikes", "deliver"}
    assert len(texts["deliver"]) == 7
    for text in texts["deliver"]:
        # integers are added, in whatever order
        assert re.search(r"\b(red|atom)\.\S*add\.[us]64", text)
        assert not re.search(r"\b(red|atom)\.\S*add\.f", text)


def test_a_newer_device():
    _, all_launches = launches(everything, dtype="float32")
    assert all(assembly(launch, 90) for launch in all_launches)
