"""Arrays are read and written where they lie, and lie as the input does."""

from __future__ import annotations

import pytest
import torch

from spikelab.kernels import choose, coefficients
from spikelab.kernels.triton.layout import arrange, find_layout
from spikelab.neurons.step import StepOptions, build_step

OPTIONS = StepOptions("cuba_lif", method="exact", reset="value", record=("v",))
#: Name -> (a tensor [T, B, C, H] with other strides, whether no copy is needed).
T, B, C, H = 5, 3, 4, 6
LAYOUTS = {
    "in order": (lambda x: x, True),
    "batch first": (lambda x: x.transpose(0, 1).contiguous().transpose(0, 1), True),
    "channels last": (lambda x: x.permute(0, 1, 3, 2).contiguous().permute(0, 1, 3, 2), True),
    "time last": (lambda x: x.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2), True),
    "batch first, channels last": (lambda x: x.permute(1, 0, 3, 2).contiguous().permute(1, 0, 3, 2), True),
    "time in the middle": (lambda x: x.permute(1, 2, 0, 3).contiguous().permute(2, 0, 1, 3), True),
    "every second": (lambda x: x.repeat_interleave(2, 3)[..., ::2], True),
    "gaps in two": (lambda x: x.repeat_interleave(2, 3).repeat_interleave(2, 2)[:, :, ::2, ::2], True),
    "gaps in three": (
        lambda x: x.repeat_interleave(2, 3).repeat_interleave(2, 2).repeat_interleave(2, 1)[:, ::2, ::2, ::2],
        False,
    ),
    "expanded": (lambda x: x[:, :1].expand(T, B, C, H), True),
    "not aligned": (lambda x: torch.cat([x.new_zeros(1), x.reshape(-1)])[1:].view(x.shape), True),
}


def sample(device):
    random = torch.Generator().manual_seed(2)
    return (30 * torch.randn(T, B, C, H, generator=random, dtype=torch.float64) + 20).to(device)


def run(contract, x, incoming, backend, per_neuron, recompute=False):
    step = build_step(OPTIONS)
    x = x.detach().requires_grad_()
    state = [torch.linspace(0, 1, B * C * H, dtype=x.dtype, device=x.device).view(B, C, H) for _ in step.states]
    scale = torch.linspace(0.5, 2, C, dtype=torch.float64, device=x.device).view(C, 1) if per_neuron else 1.0
    parameters = {
        p.name: (torch.as_tensor(p.default, dtype=torch.float64, device=x.device) * scale).requires_grad_()
        for p in step.spec.parameters
    }
    values = list(coefficients.coefficients(step, parameters, contract.dt).values())
    packed = choose.pack(OPTIONS.key(), values, x)
    (out, record), final = choose.run_neuron(step, x, state, packed, backend, recompute)
    gradients = torch.autograd.grad(
        [out, record, *final],
        [x, *parameters.values()],
        [incoming(out), torch.ones((), dtype=x.dtype, device=x.device).expand(x.shape), *map(torch.ones_like, final)],
    )
    return [out, record, *final, *gradients]


@pytest.mark.gpu
@pytest.mark.usefixtures("few_together", "poisoned")
@pytest.mark.parametrize("recompute", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same(contract, device, name, recompute):
    x = LAYOUTS[name][0](sample(device))
    random = torch.Generator().manual_seed(5)
    weight = torch.randn(T, B, C, H, generator=random, dtype=torch.float64).to(device)
    # a gradient that lies in order, and one that lies as the output does
    incoming = {False: lambda out: weight, True: lambda out: torch.empty_like(out).copy_(weight)}
    for per_neuron in (False, True):
        truth = run(contract, x.contiguous(), lambda out: weight, "reference", per_neuron)
        assert 0 < truth[0].mean() < 1
        found = run(contract, x, incoming[per_neuron], "triton", per_neuron, recompute)
        assert torch.equal(found[0], truth[0])
        for value, true in zip(found, truth, strict=True):
            assert contract.relative_error(value.detach(), true.detach()) <= 1e-10
        # as torch's own functions preserve it
        for value in (found[0], found[1], found[4]):
            assert value.stride() == torch.empty_like(x).stride(), name


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_is_not_copied(name):
    make, untouched = LAYOUTS[name]
    x = make(sample("cpu"))
    out, grad = torch.empty_like(x), torch.ones((), dtype=x.dtype).expand(x.shape)
    state, final = torch.empty_like(x[0]), torch.empty_like(x[0])
    layout, arrays = arrange(1, [x, out, grad], [state, final], {3: final, 2: out, 0: out})
    assert [a is b for a, b in zip(arrays, [x, out, grad, state, final], strict=True)] == [untouched, *[True] * 4]
    # every element of the layout is where torch says it is
    base, seen = arrays[0], []
    time, row, column = layout.distances[:3]
    for m in range(layout.size):
        place = m // layout.inner * row + m % layout.inner * column
        seen.append(base.as_strided((T,), (time,), base.storage_offset() + place).tolist())
    assert sorted(seen) == sorted(base.flatten(1).T.tolist())


def test_a_far_neuron_is_counted_in_64_bits():
    near = find_layout((4, 1 << 20), 0, (((1 << 22), 1 << 20, 1),), ())
    # batch first, long: the second sample lies 2**31 elements away
    far = find_layout((4, 1 << 20), 0, ((1 << 20, 1 << 31, 1),), ())
    assert near is not None
    assert far is not None
    assert (near.wide, far.wide) == (False, True)
    assert (near.split, far.split) == (False, True)


@pytest.mark.gpu
def test_neurons_counted_in_64_bits_are_the_same(contract, device, monkeypatch):
    from spikelab.kernels.triton import layout

    x = sample(device)
    narrow = run(contract, x, torch.ones_like, "triton", True)
    found = layout.find_layout.__wrapped__

    def wide(*arguments):
        made = found(*arguments)
        object.__setattr__(made, "wide", True)
        return made

    monkeypatch.setattr(layout, "find_layout", wide)
    for value, true in zip(run(contract, x, torch.ones_like, "triton", True), narrow, strict=True):
        assert torch.equal(value, true)
