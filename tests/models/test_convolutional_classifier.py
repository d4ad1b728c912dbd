"""The ordinary convolutional classifier: its layout, its switches, its refusals."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from spikelab.learn.build import build_model, options_from_data
from spikelab.learn.rules.layers import chain_of
from spikelab.models.convolutional_classifier import ConvolutionalClassifier


class Pictures:
    """A data set as far as the model asks."""

    class_names = ("a", "b")

    def __getitem__(self, index):
        return {"image": torch.zeros(3, 16, 20)}


def test_the_defaults_are_the_papers_small_network():
    """32-P-64-P-128-mean over 2 x 2 parts-512-C; its local activities are averaged to 512, 256, 512 and 512 numbers."""
    model = ConvolutionalClassifier()
    shapes = model.network.shapes((1, 28, 28))
    assert [shapes[f"convolution{place}"] for place in (1, 2, 3)] == [(32, 28, 28), (64, 14, 14), (128, 7, 7)]
    assert (shapes["flatten"], shapes["hidden"], shapes["readout_weights"]) == ((512,), (512,), (10,))
    assert [layer.name for layer in chain_of(model).layers] == [
        *(f"convolution{place}_weights" for place in (1, 2, 3)),
        "hidden_weights",
        "readout_weights",
    ]


@pytest.mark.parametrize("hidden", [0, 9])
@pytest.mark.parametrize("reduce", [1, 2])
def test_it_is_the_plain_network(hidden, reduce):
    torch.manual_seed(0)
    model = ConvolutionalClassifier((4, 6), hidden, reduce, classes=3, image_shape=(2, 12, 10)).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
    nodes = model.network.nodes
    image = torch.rand(5, 2, 12, 10)

    def normalised(x, norm):
        return functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)

    x = functional.avg_pool2d(image, reduce)
    for place in (1, 2):
        weights = nodes[f"convolution{place}_weights"]
        x = functional.conv2d(x, weights.weight, weights.bias, padding=1)
        x = functional.leaky_relu(normalised(x, nodes[f"convolution{place}_norm"]))
        x = functional.max_pool2d(x, 2) if place == 1 else functional.adaptive_avg_pool2d(x, 2)
    x = x.flatten(1)
    if hidden:
        x = functional.linear(x, nodes["hidden_weights"].weight, nodes["hidden_weights"].bias)
        x = functional.leaky_relu(normalised(x, nodes["hidden_norm"]))
    x = functional.linear(x, nodes["readout_weights"].weight, nodes["readout_weights"].bias)
    torch.testing.assert_close(model(image), x)
    assert x.shape == (5, 3)


def test_it_takes_classes_and_size_from_the_data():
    options = options_from_data("convolutional_classifier", Pictures(), {"channels": [2], "hidden": 4})
    model = build_model("convolutional_classifier", options)
    assert model(torch.rand(2, 3, 16, 20)).shape == (2, 2)
    with pytest.raises(ValueError, match=r"pictures are \[2, 3, 16, 16\], but must be \[B, 3, 16, 20\]"):
        model(torch.rand(2, 3, 16, 16))
    with pytest.raises(ValueError, match=r"pictures are \[3, 16, 20\]"):
        model.encode({"image": torch.rand(3, 16, 20)})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": []}, r"channels = \[\], hidden = 512 and reduce = 1 must be whole numbers of at least 1"),
        ({"channels": [4, 0]}, r"channels = \[4, 0\]"),
        ({"hidden": -1}, "hidden = -1"),
        ({"reduce": 0}, "reduce = 0"),
        ({"image_shape": [28, 28]}, r"image_shape = \[28, 28\] must be channels, height, width"),
        ({"reduce": 7}, "take pictures of at least 56 x 56 pixels"),
    ],
)
def test_sizes_that_make_no_network(options, message):
    with pytest.raises(ValueError, match=f"convolutional_classifier: .*{message}"):
        ConvolutionalClassifier(**options)
