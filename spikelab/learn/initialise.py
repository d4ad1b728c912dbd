"""A new training that starts from the weights of another run."""

from pathlib import Path

from torch import Tensor, nn

from spikelab.io.checkpoint import CheckpointError, load_checkpoint, load_weights
from spikelab.learn.run_folder import RunFolder
from spikelab.settings import Model, Train

_SHOWN = 12


def initialise(model: nn.Module, settings: Train, source: Path) -> None:
    """Put the weights of `initialise_from` into a model.

    Args:
        model: As the settings build it.
        settings: `initialise_from` and `initialise_skip`.
        source: The checkpoint of that run.

    Raises:
        CheckpointError: If it is damaged or does not fit; then it names the options of the models that differ, and what
            can start anew.
    """
    weights = load_checkpoint(source, ["model"])["model"]
    try:
        load_weights(model, weights, source, settings.initialise_skip)
    except CheckpointError as error:
        misfits = _misfits(model, weights, settings.initialise_skip)
        if settings.initialise_from is None or not misfits:
            raise
        lines = [str(error)]
        theirs, ours = RunFolder(settings.initialise_from).read_settings().model, settings.model
        if theirs.name != ours.name:
            lines.append(f"that run has the model {theirs.name}, this one {ours.name}")
        else:
            options = [name for name in {**theirs.options, **ours.options} if _of(theirs, name) != _of(ours, name)]
            lines += [f"model option {name} is {_of(ours, name)}, there {_of(theirs, name)}" for name in options]
        if len(misfits) <= _SHOWN and not weights.keys() - model.state_dict().keys():
            skip = ",".join([*settings.initialise_skip, *misfits])
            lines.append(f"to let what depends on that start anew, and keep the rest: --initialise_skip {skip}")
        raise CheckpointError("\n".join(lines)) from error


def _of(model: Model, name: str) -> str:
    return repr(model.options[name]) if name in model.options else "left at its default"


def _misfits(model: nn.Module, weights: dict[str, Tensor], skip: list[str]) -> list[str]:
    """Beginnings of the names of what the weights lack or have in another shape; layers start anew as a whole."""
    found = []
    for name, value in model.state_dict().items():
        if name.startswith(tuple(skip)) or (name in weights and weights[name].shape == value.shape):
            continue
        owner = name.rpartition(".")[0]
        leaf = owner and not any(True for _ in model.get_submodule(owner).children())
        found.append(f"{owner}." if leaf else name)
    return list(dict.fromkeys(found))
