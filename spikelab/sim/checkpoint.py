"""The state of a network on disk: a run continued from it equals one that was never interrupted, bit for bit."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

if TYPE_CHECKING:
    from spikelab.sim.network import Network
    from spikelab.sim.projection import Projection

#: Of the file's layout.
VERSION = 1


class CheckpointError(ValueError):
    """A checkpoint that cannot be read, or belongs to another network."""


def save_network(network: Network, path: str | os.PathLike[str], engine: str) -> None:
    """Writes state and recordings in memory; the file appears complete or not at all."""
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {target.parent}; make it first")
    state = network.engine(engine).state()
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=target.name, suffix=".tmp", delete=False) as temporary:
        name = temporary.name
    try:
        with h5py.File(name, "w") as file:
            file.attrs.update(version=VERSION, engine=engine, network=json.dumps(description(network)))
            for key, value in state.items():
                file[f"state/{key}"] = value
            for place, monitor in enumerate(network.monitors):
                for key, value in monitor.saved().items():
                    file[f"recorded/{place}/{key}"] = value
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def restore_network(network: Network, path: str | os.PathLike[str]) -> None:
    """Puts a network, built as the saved one was, into the saved state.

    Raises:
        CheckpointError: for a file that is no checkpoint, or one of another network; says what differs.
    """
    try:
        file = h5py.File(path, "r")
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such checkpoint") from None
    except OSError as error:
        raise CheckpointError(f"{path}: not a checkpoint ({error})") from error
    with file:
        if "version" not in file.attrs:
            raise CheckpointError(f"{path}: not a checkpoint of a network, though an HDF5 file")
        if file.attrs["version"] != VERSION:
            raise CheckpointError(f"{path}: a checkpoint of version {file.attrs['version']}, not {VERSION}")
        saved, here = json.loads(file.attrs["network"]), description(network)
        differing = [key for key in {**here, **saved} if saved.get(key) != here.get(key)]
        if differing:
            key = differing[0]
            raise CheckpointError(
                f"{path}: saved from another network: {key} was {saved.get(key, 'not there')!r}, is "
                f"{here.get(key, 'not there')!r}"
                + (f", and {len(differing) - 1} more differ" if len(differing) > 1 else "")
            )
        state: dict[str, np.ndarray] = {}
        if "state" in file:
            file["state"].visititems(lambda key, item: _keep(state, key, item))
        network.engine(str(file.attrs["engine"])).load_state(state)
        for place, monitor in enumerate(network.monitors):
            group = file.get(f"recorded/{place}")
            if group is not None:
                monitor.load({key: item[()] for key, item in group.items()})


def _keep(state: dict[str, np.ndarray], key: str, item: Any) -> None:
    if isinstance(item, h5py.Dataset):
        state[key] = item[()]


def description(network: Network) -> dict[str, Any]:
    """What has to agree for a state to fit: name -> value, readable in an error message."""
    found: dict[str, Any] = {"dt": network.dt, "seed": network.seed, "dtype": network.dtype}
    for name, population in network.populations.items():
        found[f"size of {name}"] = population.size
        found[f"kind of {name}"] = population.neuron.name if population.neuron else type(population.source).__name__
        found[f"digest of the parameters of {name}"] = _hash(
            population.parameters, population.refractory, population.method, population.reset, population.bias
        )
    for projection in network.projections:
        synapses = network.synapses(projection)
        found[f"synapses of {projection}"] = synapses.count
        found[f"receptor of {projection}"] = projection.receptor
        found[f"digest of the wiring of {projection}"] = _hash(
            synapses.connectivity.starts, synapses.connectivity.targets, synapses.delays
        )
        found[f"plasticity of {projection}"] = _plasticity(projection)
    for each in network.inputs:
        found[f"input {each.number} into {each.target}"] = [
            each.receptor,
            type(each.input).__name__,
            _hash(*each.numbers),
        ]
    for place, monitor in enumerate(network.monitors):
        found[f"monitor {place}"] = type(monitor).__name__
    return found


def _plasticity(projection: Projection) -> list[str]:
    """The rule of a plastic projection, with a digest of its parameters."""
    choice = projection.plasticity
    if choice is None:
        return []
    unit = projection.target.population.receptors[projection.receptor]
    return [choice.rule.name, _hash(dict(choice.constants(unit, str(projection)).parameters), choice.rewiring is None)]


def _hash(*values: Any) -> str:
    digest = hashlib.sha256()
    for value in values:
        pairs = sorted(value.items()) if isinstance(value, Mapping) else [("", value)]
        for name, each in pairs:
            array = np.asarray(each)
            digest.update(name.encode() + (repr(each).encode() if array.dtype.kind in "OU" else array.tobytes()))
    return digest.hexdigest()[:16]
