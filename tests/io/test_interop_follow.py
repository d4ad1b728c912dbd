"""Following tensors through a module: what is understood, and what is refused by the name of the function."""

import pytest
import torch
from torch import nn

from spikelab.io.follow import CannotTranslate, follow


class Between(nn.Module):
    """Two layers with something between them."""

    def __init__(self, between):
        super().__init__()
        self.first, self.second, self.between = nn.Linear(6, 6), nn.Linear(6, 6), between

    def forward(self, x):
        return self.second(self.between(self.first(x), x))


def edges(module, x=None):
    trail = follow(module, lambda m: False, lambda m: m(x), x := torch.zeros(2, 6) if x is None else x)
    return {name: layer.source.sources for name, layer in trail.layers.items()}


UNDERSTOOD = {
    "nothing": lambda y, x: y,
    "same values": lambda y, x: y.clone().detach().contiguous().float(),
    "view": lambda y, x: y.view(2, -1),
    "unsqueeze and flatten": lambda y, x: y.flatten(1),
}


@pytest.mark.parametrize("what", list(UNDERSTOOD))
def test_what_leaves_values_alone_is_understood(what):
    assert edges(Between(UNDERSTOOD[what])) == {"first": ("input",), "second": ("first",)}


def test_sums_and_flattening():
    assert edges(Between(lambda y, x: y + x))["second"] == ("first", "input")
    assert edges(Between(lambda y, x: torch.add(x, y)))["second"] == ("input", "first")
    assert edges(Between(lambda y, x: sum([y, x])))["second"] == ("first", "input")

    class Pictures(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(1, 2, 3), nn.Linear(8, 3)

        def forward(self, x):
            return self.fc(torch.flatten(self.conv(x), 1))

    found = edges(Pictures(), torch.zeros(2, 1, 4, 4))
    assert found == {"conv": ("input",), "flatten": ("conv",), "fc": ("flatten",)}


REFUSED = {
    "relu": lambda y, x: torch.relu(y),
    "mul": lambda y, x: y * 2,
    "__getitem__": lambda y, x: y[:, torch.arange(6)],
    "permute": lambda y, x: y.permute(1, 0).permute(1, 0),
    "relu_": lambda y, x: y.relu_(),
    "add": lambda y, x: torch.add(y, x, alpha=2),
    "cat": lambda y, x: torch.cat([y[:, :3], x[:, :3]], 1),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_anything_else_is_refused_by_its_name(name):
    with pytest.raises(CannotTranslate, match="second: what enters it comes from torch's") as error:
        edges(Between(REFUSED[name]))
    assert name in str(error.value) or name == "cat"


def test_a_sum_that_no_edges_can_express_is_refused():
    for between in (lambda y, x: y + 1, lambda y, x: y + y, lambda y, x: y + torch.ones(2, 6)):
        with pytest.raises(CannotTranslate, match=r"'add'|'__add__'"):
            edges(Between(between))


def test_writing_into_a_tensor_is_seen():
    def write(y, x):
        y[:, 0] = 0
        return y

    with pytest.raises(CannotTranslate, match="__setitem__"):
        edges(Between(write))


def test_a_tensor_out_of_nowhere_is_refused():
    with pytest.raises(CannotTranslate, match="second: what enters it comes from no layer"):
        edges(Between(lambda y, x: torch.ones(2, 6)))


def test_a_layer_used_twice_becomes_two_nodes():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.norm = nn.Linear(6, 6), nn.Identity()

        def forward(self, x):
            return self.norm(self.fc(self.norm(x)))

    assert edges(Twice()) == {"norm": ("input",), "fc": ("norm",), "norm_2": ("fc",)}
