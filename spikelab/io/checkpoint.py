"""Checkpoints: a tree of tensors and plain values in one safetensors file.

The tensors lie under flat names (`model/encoder.0.weight`, `optimiser/state/0/exp_avg`); everything else, and the shape
of the tree, is JSON in the file's metadata, with a format version and a checksum per tensor. Nothing in such a file can
execute code. Files are written atomically: a crash or a full disk leaves the previous checkpoint as it was.
"""

import json
import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from spikelab.io.atomic import write_bytes_atomically

FORMAT_VERSION = 1
_METADATA_KEY = "spikelab"
_SHOWN = 8  # names listed in an error before "and N more"


_REMEDY = (
    "use another checkpoint of the run: eval, predict and export take --checkpoint best or last, and "
    "train --initialise_from FOLDER starts a new training from the best"
)


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written, read, or loaded into the model at hand."""


def save_checkpoint(path: str | os.PathLike[str], tree: Mapping[str, Any]) -> None:
    """Write nested dictionaries and lists of tensors, numbers, strings and `None` to one file, atomically.

    Equal trees give equal files, byte for byte.

    Args:
        path: The file; its folder must exist.
        tree: The content. Tuples come back as lists, and tensors that share memory as separate ones.

    Raises:
        CheckpointError: If the tree holds something else (or a number that is not finite), or if the disk refuses the
            file; then what stood at `path` before is untouched.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = _flatten(tree, "", tensors)
    checksums = {name: _checksum(tensor) for name, tensor in tensors.items()}
    document = {"version": FORMAT_VERSION, "tree": skeleton, "crc32": checksums}
    try:
        metadata = {_METADATA_KEY: json.dumps(document, allow_nan=False)}
    except ValueError as error:
        raise CheckpointError(f"{path}: a number in the checkpoint is not finite, which JSON cannot hold") from error
    data = safetensors.torch.save(tensors, metadata)
    try:
        write_bytes_atomically(path, data)
    except OSError as error:
        kept = "the checkpoint that stood there is untouched" if Path(path).exists() else "no checkpoint stood there"
        raise CheckpointError(
            f"{path}: could not write {len(data) / 1e6:.1f} MB: {error.strerror or error}; {kept}. "
            "Free space there, or check that the folder exists and may be written to"
        ) from error


def load_checkpoint(path: str | os.PathLike[str], sections: Iterable[str] | None = None) -> dict[str, Any]:
    """Read a checkpoint back as the tree that was saved, on the CPU.

    Args:
        path: The file.
        sections: Top-level keys to read, such as `["model"]`; the tensors of the others stay on the disk.

    Raises:
        CheckpointError: Naming the file, if it is absent, truncated, corrupted (with the tensor's name), not a
            checkpoint of ours, of a newer format, or without a section that was asked for.
    """
    try:
        with safe_open(path, framework="pt") as file:
            document = _document(path, file.metadata())
            tree = document["tree"]
            if sections is not None:
                absent = [section for section in sections if section not in tree]
                if absent:
                    raise CheckpointError(f"{path}: holds no {absent[0]!r}, only {', '.join(tree)}")
                tree = {section: tree[section] for section in sections}
            return _restore(tree, lambda name: _checked_tensor(path, file, name, document["crc32"]))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such checkpoint") from error
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: truncated or corrupted ({' '.join(str(error).split())}); {_REMEDY}") from error


def load_weights(
    module: nn.Module, weights: Mapping[str, Tensor], source: str | os.PathLike[str], skip: Iterable[str] = ()
) -> None:
    """Put weights into a module, or refuse with a list of everything that does not fit; then nothing is changed.

    Args:
        module: The module; its parameters and buffers are overwritten in place.
        weights: Name -> tensor, as in `module.state_dict()`.
        source: Where they come from, for the messages.
        skip: Beginnings of names that keep the values they have in the module.

    Raises:
        CheckpointError: If a tensor is missing, unexpected, of another shape or dtype, or holds NaN or infinity (with
            the name and the first such index), or if a `skip` matches nothing.
    """
    skip = tuple(skip)
    own = module.state_dict()
    for prefix in skip:
        if not any(name.startswith(prefix) for name in own):
            raise CheckpointError(f"{source}: nothing to skip: no parameter's name begins with {prefix!r}")
    wanted = {name: tensor for name, tensor in own.items() if not (skip and name.startswith(skip))}
    given = {name: tensor for name, tensor in weights.items() if not (skip and name.startswith(skip))}
    problems = []
    for title, names in (("missing", wanted.keys() - given.keys()), ("unexpected", given.keys() - wanted.keys())):
        if names:
            problems.append(f"{title}: {_listed(sorted(names))}")
    for name in sorted(wanted.keys() & given.keys()):
        mine, other = wanted[name], given[name]
        if mine.shape != other.shape:
            problems.append(f"shape of {name}: model {list(mine.shape)}, file {list(other.shape)}")
        elif mine.dtype != other.dtype:
            problems.append(f"dtype of {name}: model {mine.dtype}, file {other.dtype}")
    if problems:
        shown = "; ".join(problems[:_SHOWN]) + (
            f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        )
        raise CheckpointError(f"{source}: does not fit the model: {shown}. Build the model with the run's own settings")
    check_finite(given, source)
    module.load_state_dict(own | given)


def check_finite(tensors: Mapping[str, Tensor], source: str | os.PathLike[str]) -> None:
    """Refuse NaN and infinity.

    Raises:
        CheckpointError: Naming the source, the tensor, the first bad index and its value.
    """
    for name, tensor in tensors.items():
        if not (tensor.is_floating_point() or tensor.is_complex()):
            continue
        bad = ~torch.isfinite(tensor)
        if bad.any():
            index = tuple(bad.nonzero()[0].tolist())
            raise CheckpointError(
                f"{source}: {name}{list(index)} is {tensor[index].item()} ({int(bad.sum())} of {tensor.numel()} values "
                "are not finite); use an earlier checkpoint"
            )


def load_optimiser(optimiser: torch.optim.Optimizer, state: Mapping[str, Any], source: str | os.PathLike[str]) -> None:
    """Put a saved optimiser state into an optimiser over the same parameters.

    Raises:
        CheckpointError: If the parameter groups differ, or a state tensor has another shape than its parameter.
    """
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    saved = [len(group["params"]) for group in state["param_groups"]]
    own = [len(group["params"]) for group in optimiser.param_groups]
    if saved != own:
        raise CheckpointError(f"{source}: the optimiser's groups hold {saved} parameters, this one's {own}")
    for index, entries in state["state"].items():
        for key, tensor in entries.items():
            if isinstance(tensor, Tensor) and tensor.ndim and tensor.shape != parameters[index].shape:
                shapes = f"{list(tensor.shape)} for a parameter of shape {list(parameters[index].shape)}"
                raise CheckpointError(f"{source}: optimiser state {key} of parameter {index} has shape {shapes}")
        check_finite({f"optimiser/state/{index}/{key}": t for key, t in entries.items() if torch.is_tensor(t)}, source)
    optimiser.load_state_dict(dict(state))


def _flatten(node: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """The tree with every tensor replaced by a reference to its flat name; the tensors go into `tensors`."""
    if isinstance(node, Tensor):
        while name in tensors:  # keys may hold the separator
            name += "_"
        # A copy of its own: safetensors refuses tensors that share memory (tied weights).
        tensors[name] = node.detach().to("cpu", copy=True).contiguous()
        return {"$tensor": name}
    if isinstance(node, Mapping):
        children = [[key, _flatten(value, f"{name}/{key}".lstrip("/"), tensors)] for key, value in node.items()]
        if all(isinstance(key, str) and not key.startswith("$") for key, _ in children):
            return dict(children)
        return {"$items": children}
    if isinstance(node, list | tuple):
        return [_flatten(value, f"{name}/{index}", tensors) for index, value in enumerate(node)]
    if node is None or isinstance(node, bool | int | float | str):
        return node
    raise CheckpointError(f"{name}: a checkpoint cannot hold a {type(node).__name__}; only tensors and plain values")


def _restore(node: Any, tensor: Any) -> Any:
    if isinstance(node, list):
        return [_restore(value, tensor) for value in node]
    if not isinstance(node, dict):
        return node
    if "$tensor" in node:
        return tensor(node["$tensor"])
    if "$items" in node:
        return {key: _restore(value, tensor) for key, value in node["$items"]}
    return {key: _restore(value, tensor) for key, value in node.items()}


def _document(path: str | os.PathLike[str], metadata: Mapping[str, str] | None) -> dict[str, Any]:
    if _METADATA_KEY not in (metadata or {}):
        raise CheckpointError(f"{path}: a safetensors file, but not a checkpoint of spikelab")
    try:
        document = json.loads(metadata[_METADATA_KEY])  # type: ignore[index]
        version = document["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: corrupted: its description cannot be read ({error})") from error
    if version != FORMAT_VERSION:
        raise CheckpointError(f"{path}: format version {version}, and this spikelab reads {FORMAT_VERSION}; update it")
    return document


def _checked_tensor(path: str | os.PathLike[str], file: Any, name: str, checksums: Mapping[str, int]) -> Tensor:
    tensor = file.get_tensor(name)
    if _checksum(tensor) != checksums.get(name):
        raise CheckpointError(f"{path}: corrupted: the checksum of {name} is wrong; {_REMEDY}")
    return tensor


def _checksum(tensor: Tensor) -> int:
    if not tensor.numel():
        return 0
    data: Any = tensor.reshape(-1).view(torch.uint8).numpy()  # bytes as they lie in memory, whatever the dtype
    return zlib.crc32(data)


def _listed(names: list[str], separator: str = ", ") -> str:
    return separator.join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
