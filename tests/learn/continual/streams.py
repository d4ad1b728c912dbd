"""Small streams of made-up pictures, and learners for them."""

import torch

from spikelab.learn.continual.heads import HeadedClassification
from spikelab.learn.continual.learner import Learner
from spikelab.learn.continual.stream import Stream, TaskData
from spikelab.learn.continual.train import prepare
from spikelab.models.classifier import SpikingClassifier
from spikelab.settings import Model, Rule
from spikelab.settings_continual import Continual

SIDE = 6


def pictures(number, count=48, classes=3, seed=0):
    """Pictures [count, 1, 6, 6] whose class is the brightest pair of rows; each task has its own order of pixels."""
    generator = torch.Generator().manual_seed(100 * seed + 1)
    labels = torch.arange(count) % classes
    images = 0.3 * torch.rand(count, 1, SIDE, SIDE, generator=generator)
    for image, label in zip(images, labels, strict=True):
        image[0, 2 * int(label) : 2 * int(label) + 2] += 0.6
    orders = torch.stack(
        [torch.randperm(SIDE * SIDE, generator=torch.Generator().manual_seed(each)) for each in range(8)]
    )
    return TaskData(images, labels, torch.full((count,), number), orders)


def stream(tasks=3, count=48, classes=3):
    names = (tuple("abc"[:classes]),) * tasks
    return Stream(
        tuple(f"task {number}" for number in range(tasks)),
        names,
        tuple(pictures(number, count, classes) for number in range(tasks)),
        tuple(pictures(number, 12, classes, seed=1) for number in range(tasks)),
    )


def settings(method="sequential", rule="bptt", model=None, **more):
    options = {"hidden": [16, 12], "steps": 4, "v_threshold": 0.3, "bias": False, "tau_mem": 0.02, "reset": "zero"}
    given = {"batch_size": 12, "epochs": 2, "device": "cpu", "threads": 1, "method": method, "rule": Rule(rule)}
    return Continual(model=model or Model("spiking_classifier", options), **(given | more))


def run(method="sequential", tasks=3, checkpoint=None, seed=0, **more):
    chosen = settings(method, **more)
    return prepare(chosen, stream(tasks), seed, torch.device("cpu"), checkpoint)


def learner(scenario="domain", tasks=2, **model):
    from spikelab.learn.rules.bptt import BPTT

    torch.manual_seed(0)
    task = HeadedClassification((tuple("abc"),) * tasks, scenario)
    options = {"hidden": [16, 12], "steps": 4, "v_threshold": 0.3, "bias": False} | model
    net = SpikingClassifier(classes=len(task.class_names), image_shape=(1, SIDE, SIDE), **options)
    shapes = {"image": [1, SIDE, SIDE], "label": [], "task": []}
    return Learner(net, task, BPTT(net, task, shapes))
