"""A network as data: named nodes and edges, recurrence and delays allowed, state explicit.

Because the graph is data, export walks it; nothing is traced. A hybrid model is an ordinary module that holds networks
for its spiking parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol

import networkx
import torch
from torch import Tensor, nn

from spikelab.kernels.sparse.support import is_known, only_inside
from spikelab.nn.checks import NonFiniteError
from spikelab.nn.connect import Conv2d, Dense
from spikelab.nn.neuron import Neuron
from spikelab.nn.segments import run_in_segments
from spikelab.nn.state import State, Stateful

INPUT, OUTPUT = "input", "output"


class Runner(Protocol):
    """What may run in a network's place: the same nodes in another arithmetic."""

    def run(self, network: Network, x: Tensor, state: State | None) -> tuple[dict[str, Tensor], State]:
        """Outputs of the nodes that it knows, name -> [T, B, ...], and the state after the last step."""
        ...


class Network(Stateful):
    """Nodes joined by edges, run over a whole sequence.

    Edges into one node are summed. An edge that leads back to a node declared earlier (or to its own source) carries
    the output of the step before. Nodes outside such a cycle run over all time steps in one call; only the cycle itself
    is stepped.

    Args:
        nodes: name -> module, in the order in which a cycle is stepped. ``Stateful`` modules get and return state.
        edges: (source, target) pairs; ``"input"`` and ``"output"`` stand for the ends of the network.
        checkpoint_steps: train on sequences of any length in little memory: of a sequence, only the state after every
            so many steps is kept, and the steps between are run again when the backward pass needs them
            (``spikelab.nn.segments``). Results are the same; a step of training computes the forward pass twice, and
            may still be faster where memory was what it waited for. Least memory is near the square root of T. 0 keeps
            everything. May be changed at any time.

    Raises:
        TypeError: if ``checkpoint_steps`` is no whole number.
        ValueError: for an edge to an unknown node, a node without input, an unreached output, a duplicate edge, or a
            negative number of ``checkpoint_steps``; when it is trained on more steps than these, if it has batch
            normalisation, which takes all of time together.

    Example:
        >>> net = Network(
        ...     {"weights": Dense(700, 128), "hidden": LIF(), "recurrent": Dense(128, 128), "readout": Dense(128, 20)},
        ...     [("input", "weights"), ("weights", "hidden"), ("hidden", "recurrent"), ("recurrent", "hidden"),
        ...      ("hidden", "readout"), ("readout", "output")],
        ... )
        >>> logits, state = net(torch.zeros(100, 8, 700))
    """

    def __init__(self, nodes: Mapping[str, nn.Module], edges: Iterable[tuple[str, str]], *, checkpoint_steps: int = 0):
        super().__init__()
        dotted = [name for name in nodes if "." in name]
        if dotted:
            raise ValueError(f"Network: the node name {dotted[0]!r} has a dot; use an underscore")
        self.nodes = nn.ModuleDict(nodes)
        edges = list(edges)
        wrong = [edge for edge in edges if isinstance(edge, str) or len(edge) != 2]
        if wrong:
            raise ValueError(f"Network: {wrong[0]!r} is not an edge; give pairs (source, target)")
        self.edges = tuple((str(a), str(b)) for a, b in edges)
        #: runs in this network's place, where set; parameters and checkpoints stay the network's own
        self.runner: Runner | None = None
        self.checkpoint_steps = checkpoint_steps
        self._check()
        self._order = {name: place for place, name in enumerate(self.nodes)}
        graph = networkx.DiGraph([e for e in self.edges if INPUT not in e and OUTPUT not in e])
        graph.add_nodes_from(self.nodes)
        parts = networkx.condensation(graph)
        # the declared order among independent parts keeps runs, exports and random draws the same everywhere
        place = {part: min(self._order[name] for name in parts.nodes[part]["members"]) for part in parts}
        sequence = networkx.lexicographical_topological_sort(parts, key=place.__getitem__)
        self._parts = [sorted(parts.nodes[part]["members"], key=self._order.__getitem__) for part in sequence]
        #: for each part, what nobody needs once it has run
        self._done: list[list[str]] = [[] for _ in self._parts]
        for name in (INPUT, *self.nodes):
            readers = [i for i, part in enumerate(self._parts) if any((name, node) in self.edges for node in part)]
            own = [i for i, part in enumerate(self._parts) if name in part]
            if name != INPUT:
                self._done[max(readers + own)].append(name)

    @property
    def checkpoint_steps(self) -> int:
        """Steps between the states that training keeps; 0 keeps everything."""
        return self._checkpoint_steps

    @checkpoint_steps.setter
    def checkpoint_steps(self, steps: int) -> None:
        if isinstance(steps, bool) or not isinstance(steps, int):
            raise TypeError(f"Network: checkpoint_steps = {steps!r} must be a whole number of steps, or 0")
        if steps < 0:
            raise ValueError(f"Network: checkpoint_steps = {steps} must be 0 or a number of steps")
        self._checkpoint_steps = steps

    @classmethod
    def sequential(cls, *modules: nn.Module, checkpoint_steps: int = 0) -> Network:
        """A chain of modules, named by place and kind: ``0_dense``, ``1_lif``, ..."""
        names = [f"{place}_{type(module).__name__.lower()}" for place, module in enumerate(modules)]
        chain = [INPUT, *names, OUTPUT]
        edges = list(pairwise(chain))
        return cls(dict(zip(names, modules, strict=True)), edges, checkpoint_steps=checkpoint_steps)

    @classmethod
    def recurrent(cls, neuron: Neuron, weights: nn.Module, *, checkpoint_steps: int = 0) -> Network:
        """A layer whose spikes come back through ``weights`` one step later, added to its input."""
        nodes = {"neuron": neuron, "recurrent_weights": weights}
        loop = [("neuron", "recurrent_weights"), ("recurrent_weights", "neuron")]
        return cls(nodes, [(INPUT, "neuron"), *loop, ("neuron", OUTPUT)], checkpoint_steps=checkpoint_steps)

    def _check(self) -> None:
        reserved = {INPUT, OUTPUT} & set(self.nodes)
        if reserved:
            raise ValueError(
                f"Network: {', '.join(reserved)} names an end of the network; call the node something else"
            )
        for a, b in self.edges:
            for name, end in ((a, INPUT), (b, OUTPUT)):
                if name != end and name not in self.nodes:
                    known = ", ".join([end, *self.nodes])
                    raise ValueError(f"Network: edge ({a!r}, {b!r}) names {name!r}; known are {known}")
        if len(set(self.edges)) < len(self.edges):
            twice = {edge for edge in self.edges if self.edges.count(edge) > 1}
            raise ValueError(f"Network: edges given twice: {sorted(twice)}; use one edge with doubled weights")
        reached = {b for _, b in self.edges}
        orphans = [name for name in self.nodes if name not in reached]
        if orphans:
            raise ValueError(f"Network: no edge leads to {', '.join(orphans)}; connect it or leave it out")
        if OUTPUT not in reached:
            raise ValueError("Network: no edge leads to 'output'")

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({"_checkpoint_steps": 0, **state})

    def sources(self, target: str) -> list[str]:
        """The nodes whose outputs are summed into ``target``."""
        return [a for a, b in self.edges if b == target]

    @property
    def parts(self) -> tuple[tuple[str, ...], ...]:
        """The nodes in the order in which they run; those of a cycle, which are stepped together, in one group."""
        return tuple(tuple(part) for part in self._parts)

    def is_recurrent(self, source: str, target: str) -> bool:
        """Whether the edge carries the output of the step before."""
        return source in self.nodes and target in self.nodes and self._order[source] >= self._order[target]

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Runs x [T, B, ...] through the network.

        Returns:
            what arrives at "output" [T, B, ...], and the state after the last step: {"nodes": {name: state},
            "previous": {name: [B, ...]}}.
        """
        steps = self.checkpoint_steps
        if not (steps and torch.is_grad_enabled() and x.shape[0] > steps and self.runner is None):
            return self._forward(x, state)
        self._require_no_normalisation()
        return run_in_segments(self._forward, steps, x, state, list(self.parameters()))

    def _forward(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        last = self.sources(OUTPUT)
        outputs, state = self._run(x, state, last)
        return _sum([outputs[name] for name in last]), state

    def _require_no_normalisation(self) -> None:
        for name, node in self.nodes.items():
            if self.training and any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in node.modules()):
                raise ValueError(
                    f"Network: {name!r} normalises over all of time, which checkpoint_steps = {self.checkpoint_steps} "
                    "takes apart; set checkpoint_steps to 0, or train without the normalisation"
                )

    def run(self, x: Tensor, state: State | None = None) -> tuple[dict[str, Tensor], State]:
        """As ``forward``, but gives the output of every node: name -> [T, B, ...]."""
        return self._run(x, state, [INPUT, *self.nodes])

    def _run(self, x: Tensor, state: State | None, kept: Sequence[str]) -> tuple[dict[str, Tensor], State]:
        """Runs every node, and gives the outputs of those that are asked for."""
        if self.runner is not None:
            return self.runner.run(self, x, state)
        outputs: dict[str, Tensor] = {INPUT: x}
        before = state or {"nodes": {}, "previous": {}}
        after: State = {"nodes": {}, "previous": {}}
        for place, part in enumerate(self._parts):
            if len(part) == 1 and (part[0], part[0]) not in self.edges:
                self._run_node(part[0], outputs, before, after)
                if part[0] not in kept and is_known(outputs[part[0]]) and self._ends_in_products(part[0]):
                    only_inside(outputs[part[0]])
            else:
                self._run_cycle(part, outputs, before, after)
            for name in self._done[place]:
                if name not in kept:
                    # a layer whose output is used up need not wait in memory for the last one
                    del outputs[name]
        return outputs, after

    def _ends_in_products(self, name: str) -> bool:
        """Whether nothing but products gets a node's output: no module that may hand it on as it is, and no hook."""
        everywhere = torch.nn.modules.module
        hooks = [everywhere._global_forward_hooks, everywhere._global_forward_pre_hooks]
        for module in self.modules():
            hooks += [module._forward_hooks, module._forward_pre_hooks]
        return not any(hooks) and all(isinstance(self.nodes[b], (Conv2d, Dense)) for a, b in self.edges if a == name)

    def evaluate(self, x: Tensor) -> dict[str, Tensor]:
        """What every node gives for x [T, B, ...], in evaluation mode and without gradients: name -> [T, B, ...].

        It is the network itself that runs, in real numbers, whatever ``runner`` stands in its place.
        """
        runner, training = self.runner, self.training
        self.runner = None
        self.eval()
        try:
            with torch.no_grad():
                return self.run(x)[0]
        finally:
            self.runner = runner
            self.train(training)

    def shapes(self, input_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """What every node gives in a step, as a shape without time and batch, for inputs of a shape; found by running.

        Raises:
            RuntimeError: as torch does, if the input does not fit.
        """
        example = next(iter(self.parameters()), torch.zeros(()))
        # in a cycle it takes some steps until every node has got something
        steps = max(map(len, self._parts), default=1)
        x = torch.zeros((steps, 1, *input_shape), dtype=example.dtype, device=example.device)
        return {name: tuple(value.shape[2:]) for name, value in self.evaluate(x).items()}

    def _call(self, name: str, x: Tensor, states: State) -> Tensor:
        node = self.nodes[name]
        try:
            if isinstance(node, Stateful):
                out, states[name] = node(x, states.get(name))
                return out
            return node(x)
        except NonFiniteError as error:
            raise NonFiniteError(f"node {name!r}: {error}") from error

    def _run_node(self, name: str, outputs: dict[str, Tensor], before: State, after: State) -> None:
        states = {name: before["nodes"][name]} if name in before["nodes"] else {}
        outputs[name] = self._call(name, _sum([outputs[source] for source in self.sources(name)]), states)
        after["nodes"].update(states)

    def _run_cycle(self, part: Sequence[str], outputs: dict[str, Tensor], before: State, after: State) -> None:
        states = {name: before["nodes"][name] for name in part if name in before["nodes"]}
        previous: dict[str, Tensor] = {name: before["previous"][name] for name in part if name in before["previous"]}
        # unbind, not x[t]: see kernels/reference.py
        outside = {
            name: [outputs[source].unbind(0) for source in self.sources(name) if source not in part] for name in part
        }
        collected: dict[str, list[Tensor | None]] = {name: [] for name in part}
        for t in range(outputs[INPUT].shape[0]):
            now: dict[str, Tensor] = {}
            for name in part:
                arriving = [steps[t] for steps in outside[name]]
                for source in self.sources(name):
                    if source in part:
                        values = previous if self.is_recurrent(source, name) else now
                        # before the first spike of a sequence nothing has come round yet
                        arriving += [values[source]] if source in values else []
                if arriving:
                    now[name] = self._call(name, _sum(arriving).unsqueeze(0), states).squeeze(0)
                collected[name].append(now.get(name))
            previous = {**previous, **now}
        for name, steps in collected.items():
            example = next((step for step in steps if step is not None), None)
            if not steps:
                raise ValueError("Network: the input has no time steps; a recurrent network needs at least one")
            if example is None:
                raise ValueError(
                    f"Network: no input ever reaches {name!r}; check the order in which nodes are declared"
                )
            outputs[name] = torch.stack([torch.zeros_like(example) if step is None else step for step in steps])
        after["nodes"].update(states)
        returning = {a for a, b in self.edges if a in part and b in part and self.is_recurrent(a, b)}
        after["previous"].update({name: value for name, value in previous.items() if name in returning})


def _sum(values: Sequence[Tensor]) -> Tensor:
    total = values[0]
    for value in values[1:]:
        if value.shape != total.shape:
            raise ValueError(f"Network: cannot add outputs of shapes {list(total.shape)} and {list(value.shape)}")
        total = total + value
    return total
