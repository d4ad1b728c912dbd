"""Small models, pictures and rules that the tests of rules share."""

import pytest
import torch

from spikelab import registry
from spikelab.learn.build import build_rule
from spikelab.learn.classification import ClassificationTask
from spikelab.models.classifier import SpikingClassifier
from spikelab.models.convolutional_classifier import ConvolutionalClassifier
from spikelab.settings import Rule

CLASSES, SHAPES = 3, {"image": [1, 8, 8], "label": []}


class Data:
    """All that a task wants to know of a data set."""

    class_names = ("left", "right", "top")


def models():
    """Name -> a function that makes the model, always with the same weights."""
    spiking = {"classes": CLASSES, "image_shape": SHAPES["image"], "steps": 6, "v_threshold": 0.3}
    return {
        "dense": lambda **options: SpikingClassifier(**{"hidden": (20, 16), **spiking, **options}),
        "convolutional": lambda **options: SpikingClassifier(
            **{"hidden": (16,), "convolutions": (4,), **spiking, **options}
        ),
        "ordinary": lambda: ConvolutionalClassifier((4, 6), 16, classes=CLASSES, image_shape=SHAPES["image"]),
    }


@pytest.fixture
def make_model():
    def make(name, seed=0, **options):
        torch.manual_seed(seed)
        return models()[name](**options)

    return make


@pytest.fixture
def make_rule():
    def make(name, model, **options):
        return build_rule(Rule(name, options), model, ClassificationTask(Data()), SHAPES)

    return make


@pytest.fixture
def batch():
    """Noisy pictures with a bright bar for each class."""
    generator = torch.Generator().manual_seed(3)
    label = torch.arange(12) % CLASSES
    image = 0.3 * torch.rand(12, 1, 8, 8, generator=generator)
    for place, kind in enumerate(label.tolist()):
        bar = (slice(None), slice(0, 2)) if kind == 0 else (slice(None), slice(6, 8)) if kind == 1 else (slice(0, 2),)
        image[(place, 0, *bar)] = 0.9
    return {"image": image, "label": label}


def pytest_generate_tests(metafunc):
    if "rule_name" in metafunc.fixturenames:
        metafunc.parametrize("rule_name", registry.names("rules"))
