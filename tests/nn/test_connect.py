"""Connections that came with NIR: convolution along a line, scales, thresholds, delays of each element, flattening."""

import pytest
import torch

from spikelab import nn


def test_convolution_along_a_line_is_torchs_at_every_step():
    torch.manual_seed(0)
    layer, x = nn.Conv1d(3, 4, 5, stride=2, padding=1), torch.rand(6, 2, 3, 20)
    y = layer(x)
    assert y.shape == (6, 2, 4, 9)
    for step, out in zip(x, y, strict=True):
        torch.testing.assert_close(torch.nn.functional.conv1d(step, layer.weight, layer.bias, 2, 1), out)
    with pytest.raises(ValueError, match=r"\[T, B, C, L\], time first"):
        layer(x[0])


def test_scale_and_threshold_act_on_each_element():
    x = torch.tensor([[[0.5, 1.0, 2.0]], [[3.0, 0.0, -1.0]]])
    scale = nn.Scale(torch.tensor([2.0, 1.0, -1.0]))
    assert scale(x).tolist() == [[[1.0, 1.0, -2.0]], [[6.0, 0.0, 1.0]]]
    scale(x).sum().backward()
    assert scale.scale.grad.tolist() == [3.5, 1.0, 1.0]
    assert nn.Threshold(1.0)(x).tolist() == [[[0, 0, 1]], [[1, 0, 0]]]
    assert nn.Threshold(torch.tensor([0.0, 1.0, -2.0]))(x).tolist() == [[[1, 0, 1]], [[1, 0, 1]]]
    for layer in (nn.Scale(torch.ones(4)), nn.Threshold(torch.ones(4)), nn.Scale(torch.ones(2, 3))):
        with pytest.raises(ValueError, match=r"does not fit samples of \[3\]"):
            layer(x)


def test_each_element_of_a_picture_may_have_its_own_delay():
    steps = torch.tensor([[0, 1], [2, 5]])
    layer, x = nn.Delay(steps), torch.rand(9, 3, 2, 2)
    whole, final = layer(x)
    for i in range(2):
        for j in range(2):
            d = int(steps[i, j])
            assert torch.equal(whole[d:, :, i, j], x[: 9 - d, :, i, j])
            assert not whole[:d, :, i, j].any()
    first, state = layer(x[:4])
    second, state = layer(x[4:], state)
    assert torch.equal(torch.cat([first, second]), whole)
    assert torch.equal(state["under_way"], final["under_way"])
    with pytest.raises(ValueError, match=r"delays \[2, 2\]"):
        layer(torch.rand(9, 3, 2, 3))


def test_flatten_joins_the_dimensions_that_are_asked_for():
    x = torch.rand(4, 2, 3, 5, 6)
    assert nn.Flatten()(x).shape == (4, 2, 90)
    assert nn.Flatten(1)(x).shape == (4, 2, 3, 30)
    assert torch.equal(nn.Flatten(0, 1)(x), x.reshape(4, 2, 15, 6))
    assert torch.equal(nn.Flatten(0, -2)(x), x.reshape(4, 2, 15, 6))


def test_the_integrator_adds_up_its_input():
    x = torch.rand(7, 2, 3, dtype=torch.float64)
    y, state = nn.Integrator(dt=1e-3, r=250.0)(x)
    torch.testing.assert_close(y, x.cumsum(0) * 0.25)
    assert torch.equal(state["v"], y[-1])
