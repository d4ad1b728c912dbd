"""Share of equal spikes between spikelab and other frameworks: neurons x frameworks x resets, over 200 steps.

    python -m benchmarks.interop                  measure, and write results/interop.json and results/interop.md
    python -m benchmarks.interop --install        make missing environments first

snnTorch and Norse run here, from and to modules; SpikingJelly and Sinabs read NIR files in environments of their own.
Every comparison is made on several random networks with spikes as input. A cell either says how many spikes are equal,
or that the translation is refused and why. The exit code is not 0 where support is claimed and a spike differs in
float64 (SpikingJelly and Sinabs read their files in float32).
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch import nn as torch_nn

from benchmarks.environments import NotInstalled, interpreter, make
from benchmarks.machine import describe
from benchmarks.peers import PEERS, Peer
from spikelab import nn
from spikelab.io import interop_norse_read, interop_snntorch_read
from spikelab.io.follow import CannotTranslate
from spikelab.io.interop_norse import from_norse, to_norse
from spikelab.io.interop_snntorch import from_snntorch, to_snntorch
from spikelab.io.nir_readers import known_readers
from spikelab.io.nir_save import write_nir
from spikelab.io.nir_write import CannotExport, to_nir

STEPS, BATCH, INPUTS, NEURONS, SEEDS = 200, 4, 20, 24, 3
RESULTS = Path(__file__).parent / "results"
#: Reads NIR files of this kind -> environment; "legacy" files are what nir 1.0.4 can read.
NIR_PEERS = {
    "SpikingJelly": (Peer("spikingjelly_nir", "spikingjelly", PEERS["spikingjelly"].version), False),
    "Sinabs": (PEERS["sinabs"], True),
}
SEMI = {"method": "semi_implicit_euler", "r": 15.0}
#: Row -> (neuron, whether its spikes come back to it).
NEURON_ROWS: dict[str, tuple[Callable[..., nn.Neuron], bool]] = {
    "IF": (lambda **o: nn.IF(v_threshold=0.9, **o), False),
    "LIF": (lambda **o: nn.LIF(v_threshold=0.15, **o), False),
    "LIF, input as impulse": (lambda **o: nn.LIF(input_form="impulse", r=20e-3, v_threshold=0.9, **o), False),
    "LIF, threshold and leak of a late reset": (
        lambda **o: nn.LIF(method="euler", v_threshold=0.15, v_leak=0.0075, **o), False,
    ),
    "CubaLIF, semi-implicit": (lambda **o: nn.CubaLIF(**SEMI, **o), False),
    "CubaLIF, exact": (lambda **o: nn.CubaLIF(r=15.0, **o), False),
    "LIF, recurrent": (lambda **o: nn.LIF(v_threshold=0.15, **o), True),
    "CubaLIF, semi-implicit, recurrent": (lambda **o: nn.CubaLIF(**SEMI, **o), True),
    "CubaLIF, semi-implicit, recurrent, 2 steps refractory": (
        lambda **o: nn.CubaLIF(refractory=2e-3, **SEMI, **o), True,
    ),
    "adaptive LIF": (lambda **o: nn.AdaptiveLIF(v_threshold=0.15, **o), False),
}  # fmt: skip
RESETS: dict[str, dict[str, Any]] = {
    "zero": {"reset": "zero"},
    "subtract": {"reset": "subtract"},
    "value -0.1": {"reset": "value", "v_reset": -0.1},
}


def spikes(seed: int) -> Tensor:
    """Random spikes [T, B, inputs]."""
    generator = torch.Generator().manual_seed(1000 + seed)
    return (torch.rand((STEPS, BATCH, INPUTS), generator=generator) < 0.3).float()


def ours(network: nn.Network, x: Tensor) -> Tensor:
    """What a network gives out."""
    with torch.no_grad():
        return network.to(x.dtype)(x)[0] if x.dtype == torch.float64 else network(x)[0]


def stepped(module: torch_nn.Module, x: Tensor, step: Callable[..., Any]) -> Tensor:
    """What the last layer of a module gives out, called step by step."""
    found: list[Tensor] = []

    def note(layer: Any, inputs: Any, output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)

    hook = list(module.children())[-1].register_forward_hook(note)
    state = None
    with torch.no_grad():
        for now in x.unbind(0):
            state = step(module, now, state)
    hook.remove()
    return torch.stack(found)


def whole(module: torch_nn.Module, x: Tensor) -> Tensor:
    """What a module gives out that takes a whole sequence."""
    with torch.no_grad():
        return module(x)[0]


class Score:
    """Equal spikes over several networks."""

    def __init__(self) -> None:
        self.equal = self.compared = self.spikes = 0

    def add(self, left: Tensor, right: Tensor) -> None:
        """Counts one comparison."""
        self.equal += int((left == right).sum())
        self.compared += left.numel()
        self.spikes += int(left.sum())

    @property
    def share(self) -> float:
        """Of all neurons and steps."""
        return self.equal / self.compared


def cell(scores: dict[str, Score]) -> dict[str, Any]:
    """Figures of one cell."""
    return {
        "supported": True,
        "spikes": next(iter(scores.values())).spikes,
        "compared": next(iter(scores.values())).compared,
        **{f"equal_{precision}": score.share for precision, score in scores.items()},
    }


def refusal(error: Exception) -> dict[str, Any]:
    """A cell that says why there is none."""
    return {"supported": False, "reason": str(error).strip().splitlines()[-1].strip().partition(": ")[2]}


# --- ours going out --------------------------------------------------------------------------------------------------


def network_of(row: str, reset: str, seed: int) -> nn.Network:
    """A dense layer into neurons."""
    torch.manual_seed(seed)
    build, recurrent = NEURON_ROWS[row]
    weights = nn.Dense(INPUTS, NEURONS)
    with torch.no_grad():
        weights.weight.mul_(2.0).add_(0.05)
    nodes: dict[str, torch_nn.Module] = {"weights": weights, "neurons": build(**RESETS[reset])}
    edges = [("input", "weights"), ("weights", "neurons"), ("neurons", "output")]
    if recurrent:
        nodes["back"] = nn.Dense(NEURONS, NEURONS, bias=False)
        edges += [("neurons", "back"), ("back", "neurons")]
    return nn.Network(nodes, edges).eval()


def to_module(framework: str, row: str, reset: str) -> dict[str, Any]:
    """Ours as a module of snnTorch or Norse."""
    make_module, reader = {
        "snnTorch": (to_snntorch, interop_snntorch_read),
        "Norse": (to_norse, interop_norse_read),
    }[framework]
    scores = {"float64": Score(), "float32": Score()}
    for seed in range(SEEDS):
        network, x = network_of(row, reset, seed), spikes(seed)
        try:
            module = make_module(network, (INPUTS,))
        except CannotTranslate as error:
            return refusal(error)
        scores["float32"].add(stepped(module, x, reader.step), ours(network, x))
        reader.in_float64(module)
        scores["float64"].add(stepped(module, x.double(), reader.step), ours(network, x.double()))
    return cell(scores)


def through_nir(framework: str, row: str, reset: str, folder: Path) -> dict[str, Any]:
    """Ours as NIR files, read by another framework in its own environment."""
    peer, legacy = NIR_PEERS[framework]
    networks, files, reason = [network_of(row, reset, seed) for seed in range(SEEDS)], [], ""
    for seed, network in enumerate(networks):
        names = [str(folder / f"{seed}.{end}") for end in ("nir", "x.npy", "out.npy")]
        try:
            graph = to_nir(network, (INPUTS,), form="portable")
            write_nir(names[0], graph, legacy=legacy)
        except CannotExport as error:
            return refusal(error)
        known = known_readers(graph)[framework]
        reason = "" if known == "ok" else known.partition(": ")[2] or known
        np.save(names[1], spikes(seed).numpy())
        files += names
    command = [str(interpreter(peer)), str(Path(__file__).parent / "interop_peer.py"), peer.distribution, str(1e-3)]
    done = subprocess.run([*command, *files], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{framework}: {done.stderr[-2000:]}")
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    if "error" in answer:
        return {"supported": False, "reason": f"its reader stops: {answer['error'][:120]}"}
    score = Score()
    for seed, network in enumerate(networks):
        score.add(torch.from_numpy(np.load(folder / f"{seed}.out.npy")), ours(network, spikes(seed)))
    found = cell({"float32": score})
    return found | {"supported": False, "reason": reason} if reason else found


# --- theirs coming in ------------------------------------------------------------------------------------------------


def snntorch_layers() -> Iterator[tuple[str, str, Callable[[], torch_nn.Module], dict[str, Any]]]:
    """(row, reset, layer, options of from_snntorch)."""
    import snntorch

    for kind in ("Leaky", "Synaptic", "RLeaky", "RSynaptic"):
        for reset in ("zero", "subtract", "none"):
            for late in (True, False):
                options: dict[str, Any] = {"beta": 0.9, "reset_mechanism": reset, "reset_delay": late}
                options |= {"alpha": 0.7} if "Synaptic" in kind else {}
                options |= {"linear_features": NEURONS} if kind.startswith("R") else {}

                def build(kind: str = kind, options: dict[str, Any] = options) -> torch_nn.Module:
                    return getattr(snntorch, kind)(init_hidden=True, output=True, **options)

                name = f"{reset}, {'one step late' if late else 'at once'}"
                yield kind, name, build, {}
                if reset == "subtract" and late:
                    yield kind, name + " (late_subtraction='neuron')", build, {"late_subtraction": "neuron"}


def norse_layers() -> Iterator[tuple[str, str, Callable[[], torch_nn.Module], dict[str, Any]]]:
    """(row, reset, layer, options of from_norse)."""
    import norse.torch as norse
    from norse.torch.functional.reset import reset_subtract

    value = torch.as_tensor(-0.1)
    lif = norse.LIFParameters(v_th=torch.as_tensor(0.4))
    box = norse.LIFBoxParameters(v_th=torch.as_tensor(0.15))
    iaf = norse.IAFParameters(v_th=torch.as_tensor(0.9))
    for kind, parameters, sizes in (
        (norse.LIFCell, lif, ()),
        (norse.LIF, lif, ()),
        (norse.LIFRecurrentCell, lif, (NEURONS, NEURONS)),
        (norse.LIFRecurrent, lif, (NEURONS, NEURONS)),
        (norse.LIFBoxCell, box, ()),
        (norse.IAFCell, iaf, ()),
        (norse.IAF, iaf, ()),
    ):
        resets = {"zero": parameters, "value -0.1": parameters._replace(v_reset=value)}
        if kind is norse.LIFBoxCell:
            resets["subtract"] = box._replace(reset_method=reset_subtract)
        for reset, chosen in resets.items():
            yield kind.__name__, reset, lambda k=kind, s=sizes, p=chosen: k(*s, p), {}
    yield "LSNNCell", "subtract", lambda: norse.LSNNCell(), {}


def from_module(framework: str, build: Callable[[], torch_nn.Module], options: dict[str, Any]) -> dict[str, Any]:
    """A module of snnTorch or Norse as ours."""
    scores = {"float64": Score(), "float32": Score()}
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        weights, x = torch_nn.Linear(INPUTS, NEURONS), spikes(seed)
        with torch.no_grad():
            weights.weight.mul_(2.0).add_(0.05)
        layer = build()
        try:
            if framework == "snnTorch":
                module: Any = torch_nn.Sequential(weights, layer)
                network = from_snntorch(module, (INPUTS,), **options)
                reader: Any = interop_snntorch_read
            else:
                import norse.torch as norse

                module = norse.SequentialState(weights, layer)
                network = from_norse(module, (INPUTS,), **options)
                reader = interop_norse_read
        except CannotTranslate as error:
            return refusal(error)
        real = any(isinstance(node, nn.Neuron) and not node.spec.spikes for node in network.nodes.values())
        # weights of float32 lose nothing in float64, but do not come back
        for precision in ("float32", "float64"):
            score = scores[precision]
            if precision == "float64":
                reader.in_float64(module)
            now = x.double() if precision == "float64" else x
            sequence = framework == "Norse" and type(layer).__name__ in ("LIF", "LIFRecurrent", "IAF")
            out = whole(module, now) if sequence else _stepped_or_membrane(module, now, reader, real)
            expected = ours(network, now)
            if real:
                # a readout gives real numbers; equal means to within the rounding of its precision
                near = (out - expected).abs() <= (1e-5 if precision == "float32" else 1e-12) * expected.abs().max()
                expected = torch.where(near, out, expected)
            score.add(out, expected)
    found = cell(scores)
    return found | {"spikes": None} if real else found


def _stepped_or_membrane(module: torch_nn.Module, x: Tensor, reader: Any, real: bool) -> Tensor:
    if not real:
        return stepped(module, x, reader.step)
    layer, found, state = list(module.children())[-1], [], None
    with torch.no_grad():
        for now in x.unbind(0):
            state = reader.step(module, now, state)
            found.append(layer.mem.clone())
    return torch.stack(found)


# --- the report ------------------------------------------------------------------------------------------------------


def text(found: dict[str, Any]) -> str:
    """A cell for the table."""
    shares = {p: found[f"equal_{p}"] for p in ("float64", "float32") if f"equal_{p}" in found}
    shown = ", ".join(
        f"{percent(share)} {p}" for p, share in shares.items() if share < 1 or p == "float64" or len(shares) == 1
    )
    if not found["supported"]:
        # what ran was not refused: its file can be written, and known_readers says what becomes of it
        return f"not claimed: {found['reason']} ({shown} as it runs)" if shown else f"refused: {found['reason']}"
    count = "membrane" if found["spikes"] is None else f"{found['spikes']} spikes"
    return f"**{shown}** ({count})"


def percent(share: float) -> str:
    """100 % only where all are equal."""
    return "100 %" if share == 1 else f"{min(share * 100, 99.999):.3f} %"


def table(rows: dict[str, dict[str, dict[str, Any]]], columns: list[str], first: str) -> list[str]:
    """Markdown."""
    lines = [f"| {first} | " + " | ".join(columns) + " |", "|" + "---|" * (len(columns) + 1)]
    return lines + [f"| {row} | " + " | ".join(text(cells[c]) for c in columns) + " |" for row, cells in rows.items()]


def report(found: dict[str, Any]) -> str:
    """The page."""
    machine, versions = found["machine"], found["versions"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = [
        "# Equal spikes in other frameworks",
        "",
        f"`python -m benchmarks.interop`, {machine['date'][:10]}, {machine['cpu']}, commit {machine['commit']}.",
        f"{named}.",
        "",
        f"Each cell: {found['networks']} random networks (dense {INPUTS} to {NEURONS} into neurons), {STEPS} steps,",
        f"batch {BATCH}, input spikes with probability 0.3; the share of neurons and steps with the same output. It is",
        "measured in float64, where rounding decides nothing, and in float32, which is named where it is not 100 %",
        "too. What is refused raises an error that names the layer, this reason and a remedy.",
        "",
        "## Ours going out",
        "",
        "snnTorch and Norse as modules (`to_snntorch`, `to_norse`), SpikingJelly and Sinabs through NIR files",
        '(`to_nir(form="portable")`, read in float32 in their own environments; Sinabs from `write_nir(legacy=True)`).',
        "Not claimed is what can be written, but of which `known_readers` says that this reader makes other spikes.",
        "",
        *table(found["out"], ["snnTorch", "Norse", "SpikingJelly (NIR)", "Sinabs (NIR)"], "neuron, reset"),
        "",
        "## Theirs coming in",
        "",
        *table({row: {"share": c} for row, c in found["snnTorch in"].items()}, ["share"], "snnTorch layer, reset"),
        "",
        *table({row: {"share": c} for row, c in found["Norse in"].items()}, ["share"], "Norse layer, reset"),
        "",
    ]
    return "\n".join(lines)


def measure() -> dict[str, Any]:
    """All cells."""
    versions = {name: metadata.version(name) for name in ("snntorch", "norse", "torch", "nir")}
    versions |= {name.lower(): peer.version for name, (peer, _) in NIR_PEERS.items()}
    found: dict[str, Any] = {"machine": describe(), "versions": versions, "networks": SEEDS, "out": {}}
    with tempfile.TemporaryDirectory() as folder:
        for row in NEURON_ROWS:
            for reset in RESETS:
                cells = {framework: to_module_or_lack(framework, row, reset) for framework in ("snnTorch", "Norse")}
                for framework in NIR_PEERS:
                    cells[f"{framework} (NIR)"] = lacking(row, reset) or through_nir(
                        framework, row, reset, Path(folder)
                    )
                found["out"][f"{row}, {reset}"] = cells
                print(f"{row}, {reset}: " + "; ".join(text(c) for c in cells.values()), flush=True)
    for framework, layers in (("snnTorch", snntorch_layers), ("Norse", norse_layers)):
        found[f"{framework} in"] = {}
        for kind, reset, build, options in layers():
            result = from_module(framework, build, options)
            found[f"{framework} in"][f"{kind}, {reset}"] = result
            print(f"{framework} {kind}, {reset}: {text(result)}", flush=True)
    return found


def lacking(row: str, reset: str) -> dict[str, Any] | None:
    """A cell for a reset that our own neuron lacks."""
    try:
        network_of(row, reset, 0)
    except ValueError as error:
        return {"supported": False, "reason": str(error)}
    return None


def to_module_or_lack(framework: str, row: str, reset: str) -> dict[str, Any]:
    """As ``to_module``, for any row and reset."""
    return lacking(row, reset) or to_module(framework, row, reset)


def failures(found: dict[str, Any]) -> list[str]:
    """Cells that claim support and are not all equal."""
    cells = {f"{row} -> {c}": v for row, cs in found["out"].items() for c, v in cs.items()}
    cells |= {f"{f} {row}": v for f in ("snnTorch in", "Norse in") for row, v in found[f].items()}
    return [name for name, v in cells.items() if v["supported"] and v.get("equal_float64", v.get("equal_float32")) < 1]


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Share of equal spikes between spikelab and other frameworks.")
    parser.add_argument("--install", action="store_true", help="make missing environments first")
    chosen = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for peer, _ in NIR_PEERS.values():
        try:
            make(peer) if chosen.install else interpreter(peer)
        except NotInstalled as error:
            print(f"error: {error}\nor run with --install", file=sys.stderr)
            return 1
    found = measure()
    (RESULTS / "interop.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "interop.md").write_text(report(found))
    wrong = failures(found)
    print("\n".join([*(f"NOT EQUAL: {name}" for name in wrong), f"{len(wrong)} cells claim support and differ"]))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
