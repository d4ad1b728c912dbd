"""From names and options to objects: data sets, models and tasks out of the registry."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from spikelab import registry
from spikelab.learn.options import checked_options
from spikelab.learn.rules.rule import LearningRule
from spikelab.learn.task import Task
from spikelab.settings import Loss, Rule, Train


def build_dataset(name: str, split: str, options: Mapping[str, Any]) -> Any:
    """A split of a registered data set.

    Args:
        name: Registered name.
        split: Part of the data set.
        options: Arguments of its constructor; those left out keep their defaults.

    Raises:
        UnknownNameError: If there is no such data set.
        ValueError: If it has no such option or refuses a value, lacks a required one, or has no such split.
    """
    dataset_type = registry.load("datasets", name)
    given = checked_options(dataset_type, options, f"data set {name!r}", own=["split"])
    for key, parameter in inspect.signature(dataset_type).parameters.items():
        if key != "split" and key not in given and parameter.default is parameter.empty:
            what = f"give its option {key!r}, such as --data.options.{key} VALUE with spikelab train"
            raise ValueError(f"data set {name!r}: {what}")
    return dataset_type(split, **given)


def build_model(name: str, options: Mapping[str, Any]) -> nn.Module:
    """A registered model.

    Args:
        name: Registered name.
        options: Arguments of its constructor; those left out keep their defaults.

    Raises:
        UnknownNameError: If there is no such model.
        ValueError: If it has no such option, lacks a required one, or refuses a value.
    """
    options = check_model_options(name, options)
    model_type = registry.load("models", name)
    parameters = inspect.signature(model_type).parameters
    required = [key for key, parameter in parameters.items() if parameter.default is parameter.empty]
    missing = [key for key in required if key not in options]
    if missing:
        raise ValueError(f"model {name!r}: option {missing[0]!r} is required: --model.options.{missing[0]} VALUE")
    return model_type(**options)


def check_model_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as the model takes them; see `checked_options`.

    Raises:
        UnknownNameError: If there is no such model.
        ValueError: If it has no such option, or takes another type of value.
    """
    return checked_options(registry.load("models", name), options, f"model {name!r}")


def transform_model(model: nn.Module, settings: Train, sample_shapes: Mapping[str, Any]) -> None:
    """What the settings do to a model beside building it; parameters and checkpoints stay as they are.

    Args:
        model: With its weights; changed in place.
        settings: `quantise` makes its spiking part run in the integers of a chip.
        sample_shapes: Name -> shape of each tensor of a sample.

    Raises:
        ValueError: If the model cannot be run so.
    """
    if settings.quantise.bits:
        registry.load("transformations", "quantise")(model, settings.quantise, sample_shapes)


def build_task(name: str, dataset: Any, loss: Loss) -> Task:
    """A registered task for the data set that is trained on."""
    return registry.load("tasks", name)(dataset, loss)


def build_rule(
    settings: Rule, model: nn.Module, task: Task, sample_shapes: Mapping[str, Sequence[int]]
) -> LearningRule:
    """A registered learning rule for a model.

    Args:
        settings: Its name and options.
        model: With its weights, on its device.
        task: Gives the loss.
        sample_shapes: Name -> shape of each tensor of a sample.

    Raises:
        UnknownNameError: If there is no such rule.
        ValueError: If it has no such option, refuses a value, or cannot train this model or task.
    """
    rule_type = registry.load("rules", settings.name)
    own = ("model", "task", "sample_shapes")
    options = checked_options(rule_type, settings.options, f"rule {settings.name!r}", own)
    try:
        rule: LearningRule = rule_type(model, task, sample_shapes, **options)
    except (TypeError, ValueError) as error:
        raise type(error)(f"rule {settings.name!r}: {error}") from error
    return rule.to(next(model.parameters()).device)


def options_from_data(name: str, dataset: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a model, completed by those that follow from the data (such as the number of classes).

    A model that has such options says so with a static method `options_from_data(dataset)`.

    Raises:
        UnknownNameError: If there is no such model.
        ValueError: If an option was given a value that contradicts the data, or the data is not what the model takes.
    """
    model_type = registry.load("models", name)
    if not hasattr(model_type, "options_from_data"):
        return dict(options)
    try:
        derived: dict[str, Any] = model_type.options_from_data(dataset)
    except (AttributeError, KeyError, TypeError) as error:
        events = len(dataset) and set(dataset[0]) == {"events", "label"}
        others = "one for events, --model.name event_classifier" if events else "another model or data set"
        raise ValueError(
            f"model {name!r} does not fit the data set, a {type(dataset).__name__}: it takes its options from what "
            f"that lacks ({error}); choose {others}"
        ) from error
    for key, value in derived.items():
        if key in options and options[key] != value:
            raise ValueError(f"model {name!r}: {key} = {options[key]!r}, and the data set has {value!r}; leave it out")
    return {**options, **derived}
