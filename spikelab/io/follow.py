"""Finds out which layer of a torch module feeds which, by following tensors through one run of it.

Layers are watched by hooks. What the module does to tensors between layers is seen through torch's function mode: sums,
flattening and picking a time step are followed, anything else marks the tensor, and a marked tensor that enters a layer
is refused by the name of what made it. So a graph is either complete or refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from spikelab.nn.network import INPUT, OUTPUT

#: Functions that leave the values alone.
_SAME = {"detach", "clone", "contiguous", "to", "float", "double", "type", "cpu", "requires_grad_", "dropout"}
_SUMS = {"add", "add_", "__add__", "__radd__", "__iadd__"}
_RESHAPES = {"flatten", "view", "reshape", "squeeze", "unsqueeze"}


class CannotTranslate(ValueError):
    """A module or network that has no exact translation; the message lists every problem with its remedy."""


@dataclass(frozen=True)
class Origin:
    """Where a tensor comes from.

    Attributes:
        sources: the nodes whose outputs are summed in it.
        port: which output of the node: 0 for the first, 1 ... for a layer's states.
        made_by: the name of a function that cannot be followed, "" if there was none.
    """

    sources: tuple[str, ...]
    port: int = 0
    made_by: str = ""


@dataclass
class Layer:
    """A layer as it was met.

    Attributes:
        module: the layer itself.
        path: its name in the module, dots included.
        source: what enters it.
        input_shape: of its first input, as it was passed.
        calls: how often it was called so.
    """

    module: nn.Module
    path: str
    source: Origin
    input_shape: tuple[int, ...]
    calls: int = 0


@dataclass
class Trail:
    """What one run of a module showed.

    Attributes:
        layers: node name -> layer, in the order of the first call.
        time_dimension: the input's dimension out of which single steps were picked; None if there was none.
    """

    layers: dict[str, Layer] = field(default_factory=dict)
    time_dimension: int | None = None

    @property
    def ends(self) -> list[str]:
        """The layers that feed no other."""
        used = {source for layer in self.layers.values() for source in layer.source.sources}
        return [name for name in self.layers if name not in used]


def follow(
    module: nn.Module, is_layer: Callable[[nn.Module], bool], run: Callable[[nn.Module], object], x: Tensor
) -> Trail:
    """Runs a module once and follows its tensors.

    Args:
        module: any torch module.
        is_layer: whether a submodule counts as one layer; one without submodules always does.
        run: calls the module on ``x``.
        x: the tensor that stands for the network's input.

    Raises:
        CannotTranslate: names each layer whose input cannot be followed, and what to do.
    """
    follower = _Follower(x)
    hooks: list[Any] = []
    for path, layer in _layers(module, is_layer):
        hooks.append(layer.register_forward_pre_hook(follower.enter))
        hooks.append(layer.register_forward_hook(follower.leaving(path)))
    try:
        with torch.no_grad(), follower:
            run(module)
    finally:
        for hook in hooks:
            hook.remove()
    if follower.problems:
        raise CannotTranslate("the module cannot be followed:\n  " + "\n  ".join(dict.fromkeys(follower.problems)))
    return follower.trail


def _layers(
    module: nn.Module, is_layer: Callable[[nn.Module], bool], path: str = ""
) -> Iterator[tuple[str, nn.Module]]:
    if is_layer(module) or not any(True for _ in module.children()):
        yield path, module
        return
    seen: set[nn.Module] = set()
    for name, child in module.named_children():
        for inner, layer in _layers(child, is_layer, f"{path}.{name}" if path else name):
            if layer not in seen:
                seen.add(layer)
                yield inner, layer


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)


class _Follower(TorchFunctionMode):
    def __init__(self, x: Tensor):
        super().__init__()
        self.trail = Trail()
        self.problems: list[str] = []
        self._inside = 0
        # the tensors are kept, so that no other takes an address
        self._origins: dict[int, tuple[Tensor, Origin]] = {}
        self._set(x, Origin((INPUT,)))

    def _set(self, tensor: Tensor, origin: Origin) -> None:
        self._origins[id(tensor)] = (tensor, origin)

    def _get(self, tensor: Tensor) -> Origin | None:
        found = self._origins.get(id(tensor))
        return None if found is None else found[1]

    def enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._inside += 1

    def leaving(self, path: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def leave(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            self._inside -= 1
            if self._inside == 0:
                self._note_layer(path, module, inputs, output)

        return leave

    def _note_layer(self, path: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        entering = next(_tensors(inputs), None)
        origin = None if entering is None else self._get(entering)
        if origin is None or origin.made_by:
            made = "no layer and not from the network's input" if origin is None else f"torch's {origin.made_by!r}"
            self.problems.append(
                f"{path or type(module).__name__}: what enters it comes from {made}; between layers only sums, "
                f"flattening and picking a time step are followed, so make the operation a layer, or do it before the "
                "network"
            )
            origin = Origin((INPUT,))
        shape = () if entering is None else tuple(entering.shape)
        name = self._name(path, module, origin, shape)
        self.trail.layers[name].calls += 1
        # states come after the output proper; one that holds the very tensor again must not hide it
        for port, value in reversed(list(enumerate(output if isinstance(output, tuple) else (output,)))):
            for tensor in _tensors(value):
                self._set(tensor, Origin((name,), port))

    def _name(self, path: str, module: nn.Module, origin: Origin, shape: tuple[int, ...]) -> str:
        """The node of this layer with this input: a new one where the layer was not met so before."""
        same = [n for n, known in self.trail.layers.items() if known.module is module and known.source == origin]
        if same:
            return same[0]
        base = name = _node_name(path, module)
        number = 1
        while name in self.trail.layers:
            number += 1
            name = f"{base}_{number}"
        self.trail.layers[name] = Layer(module, path, origin, shape)
        return name

    def __torch_function__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        result = function(*arguments, **(options or {}))
        if self._inside:
            return result
        name = getattr(function, "__name__", str(function))
        if name == "__iter__":
            steps = list(result)
            self._note(name, arguments, options, steps)
            return iter(steps)
        self._note(name, arguments, options, result)
        return result

    def _note(self, name: str, arguments: Any, options: Any, result: Any) -> None:
        entering = [*_tensors(tuple(arguments)), *_tensors(tuple((options or {}).values()))]
        known = [(tensor, origin) for tensor in entering if (origin := self._get(tensor)) is not None]
        leaving = list(_tensors(result)) if name != "__setitem__" else entering[:1]
        if not known or not leaving:
            return
        before, origin = known[0]
        for tensor in leaving:
            after = self._after(name, arguments, options, before, tensor, known)
            self._set(tensor, after if after is not None else replace(origin, made_by=name))

    def _after(
        self,
        name: str,
        arguments: Any,
        options: Any,
        before: Tensor,
        after: Tensor,
        known: Iterable[tuple[Tensor, Origin]],
    ) -> Origin | None:
        """The origin of a result, None if the function cannot be followed."""
        origins = [origin for _, origin in known]
        if any(origin.made_by for origin in origins):
            return next(origin for origin in origins if origin.made_by)
        origin = origins[0]
        if name in _SAME and len(origins) == 1:
            return origin
        if name in _SUMS:
            return self._sum(arguments, options, origins)
        if len(origins) > 1:
            return None
        if name in _RESHAPES:
            if after.shape == before.shape:
                return origin
            kept = after.dim() - 1
            if after.shape[:kept] == before.shape[:kept] and kept in (1, 2):
                return self._flatten(origin, before, after)
        if name in ("__getitem__", "select", "unbind", "__iter__") and origin.sources == (INPUT,):
            dimension = _picked(name, arguments, options)
            if dimension is not None and after.dim() == before.dim() - 1:
                self.trail.time_dimension = dimension
                return origin
        return None

    def _sum(self, arguments: Any, options: Any, origins: list[Origin]) -> Origin | None:
        numbers = [a for a in arguments if isinstance(a, int | float)]
        if options or any(numbers) or len(origins) + len(numbers) != len(arguments) or any(o.port for o in origins):
            return None
        sources = tuple(source for origin in origins for source in origin.sources)
        # a network sums edges, and two nodes are joined by one edge at most
        return Origin(sources) if len(set(sources)) == len(sources) else None

    def _flatten(self, origin: Origin, before: Tensor, after: Tensor) -> Origin:
        module = next(
            (layer.module for name, layer in self.trail.layers.items() if layer.source == origin and "flatten" in name),
            nn.Flatten(after.dim() - 1),
        )
        name = self._name("flatten", module, origin, tuple(before.shape))
        self.trail.layers[name].calls += 1
        return Origin((name,))


def _picked(name: str, arguments: Any, options: Any) -> int | None:
    """The dimension out of which a single step is taken."""
    if name == "__iter__":
        return 0
    if name == "__getitem__":
        index = arguments[1] if isinstance(arguments[1], tuple) else (arguments[1],)
        whole = [part for part in index[:-1] if part != slice(None)]
        return len(index) - 1 if not whole and isinstance(index[-1], int) and len(index) <= 2 else None
    named = options or {}
    return named.get("dim", arguments[1] if len(arguments) > 1 else 0)


def _node_name(path: str, module: nn.Module) -> str:
    name = path.replace(".", "_") or type(module).__name__.lower()
    if name.split("_")[-1].isdigit() or name in (INPUT, OUTPUT):
        return f"{name}_{type(module).__name__.lower()}"
    return name
