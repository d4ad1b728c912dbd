"""Options of data that differ from those which a run was trained with: then a sample may mean something else."""

import inspect
from collections.abc import Mapping
from typing import Any

from spikelab import registry
from spikelab.learn.options import checked_options
from spikelab.settings import Data

# where data lies, who prepares it and how many samples are taken; a sample stays what it is
_NOT_OF_A_SAMPLE = {
    "split", "folder", "path", "lists", "missing", "cache", "workers", "progress", "device", "samples",
}  # fmt: skip

Changes = dict[str, tuple[Any, Any]]


def changed_options(trained: Data, name: str, options: Mapping[str, Any]) -> Changes:
    """The options that decide on what a sample is, and are others than in training.

    Args:
        trained: The data that a run was trained on.
        name: The registered data set that it is to be used on; of another one than the run's, options count that both
            have, and that were given for either.
        options: Those given for it.

    Returns:
        Option -> its value in training, and now; defaults where nothing was given.

    Raises:
        ValueError: If the data set has no such option, or refuses a value.
    """
    if trained.name not in registry.names("datasets"):
        return {}
    before, now = _effective(trained.name, trained.options), _effective(name, options)
    asked = {**trained.options, **options}
    shared = [option for option in before if option in now and option in asked and option not in _NOT_OF_A_SAMPLE]
    return {option: (before[option], now[option]) for option in shared if before[option] != now[option]}


def told(changes: Changes) -> str:
    """The changes in words, such as "data option accumulate = False (trained with True)"."""
    listed = ", ".join(f"{option} = {now!r} (trained with {before!r})" for option, (before, now) in changes.items())
    return f"data option{'' if len(changes) == 1 else 's'} {listed}"


def _effective(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    dataset_type = registry.load("datasets", name)
    parameters = inspect.signature(dataset_type).parameters
    defaults = {key: parameter.default for key, parameter in parameters.items() if key != "split"}
    given = checked_options(dataset_type, options, f"data set {name!r}", own=["split"])
    # settings files know lists only
    return {key: list(value) if isinstance(value, tuple) else value for key, value in {**defaults, **given}.items()}
