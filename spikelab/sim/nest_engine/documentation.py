"""The translation table as a document, made from the tables that the engine itself reads.

python -m spikelab.sim.nest_engine.documentation > docs/nest.md
"""

from __future__ import annotations

from collections.abc import Iterable

from spikelab import registry
from spikelab.sim.nest_engine.devices import INPUTS, SOURCES
from spikelab.sim.nest_engine.neuron_table import REFUSED_NEURONS, ROWS
from spikelab.sim.nest_engine.plastic_table import PLASTIC_ROWS, REFUSED_RULES
from spikelab.sim.nest_engine.wiring_rules import DISTRIBUTIONS, GIVEN, RULES

_INTRODUCTION = """# Networks in NEST

`network.run(1.0, engine="nest", threads=4)` hands the network to [NEST](https://nest-simulator.readthedocs.io), 3.10
or later (`pip install 'spikelab[nest]'`, Linux). NEST is told the same neurons, the same synapses one by one, the same
inputs and recorders; monitors are filled as ever. Where nothing is random the spikes are the same, one for one
(tested: 200 ms of the network of Vogels and Abbott); where something is, the statistics are.

This page is made by `python -m spikelab.sim.nest_engine.documentation` from the tables that the engine reads, and a
test keeps it so. What is not in a table is refused with an error that names it, before anything runs.

## What to know

* **Units.** V, A, F, S, s become mV, pA, pF, nS, ms. A dimensionless neuron (`lif`, `izhikevich`) keeps its numbers: 1
  becomes 1 mV or 1 pA, with C_m = tau_mem / r.
* **Time.** A spike of step k is labelled (k + 1) dt in both, and delays count alike. `t_ref` is the refractory time
  less one step, because NEST holds the membrane for t_ref / dt steps after that of the spike, and we count that step
  in. NEST's clock starts some steps before our time 0, so that its generators act from the first step on.
* **Threshold.** NEST's neurons spike at or above it, ours above it. That matters only where weights add up to it
  exactly.
* **Precision.** NEST computes in double precision, whatever the network's `dtype`.
* **Random numbers** are NEST's, seeded by the network's seed. They depend on the number of threads, which is 1 unless
  given and stays for all runs of a network; and, where several things draw, on runs that are no whole multiple of the
  shortest delay.
* **One kernel.** There is one in a process. A new network takes it over; the one before keeps what was recorded and
  cannot run on. A kernel that other code has filled is left alone. There is no checkpoint.
* **OpenMP.** NEST and torch may share OpenMP, whose number of threads NEST sets. Torch's is put back after every call.
  Code that calls PyNEST directly beside this must have `torch.get_num_threads()` equal to `nest.local_num_threads`:
  NEST's kernel crashes otherwise.
* **States** are recorded at the same times. They make NEST work in slices of one step, which is slower, and must be
  asked for before the first run. The `rise` of alpha-shaped receptors cannot be recorded.
* **Weights** of plastic synapses are read in our order (NEST has none), which takes long for many.

## Large networks and clusters

`options={"wiring": "rules"}` lets NEST draw synapses, weights and delays itself from the same rules: the same
statistics, other pairs. With `sim.Network(..., wire_at_once=False)` the arrays are then never made here, so a network
can be larger than what one machine holds. That is also the way onto MPI: a NEST built with it (the wheel is not), and
`mpirun -n 8 python script.py`. Each process then keeps the spikes of its own neurons; other monitors are refused. MPI
has not been tested here, for want of such a build.
"""


def document() -> str:
    """The whole page, Markdown."""
    parts = [_INTRODUCTION, "## Neurons\n", *_neurons(), "## Plasticity\n", *_plasticity()]
    parts += ["## Inputs and sources\n", *_devices(), "## Wiring that NEST draws\n", *_wiring()]
    return "\n".join(parts).rstrip() + "\n"


def _table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return ["\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]), ""]


def _code(text: str) -> str:
    return f"`{text}`"


def _given(parameters: dict[str, str]) -> str:
    return ", ".join(f"`{theirs}` = {ours}" for theirs, ours in parameters.items())


def _neurons() -> list[str]:
    places = {
        "membrane": "any number, all on the membrane",
        "signs": "one; two, of which one gets no negative and the other no positive weights",
        "ports": "any number",
    }
    rows = []
    for row in ROWS:
        place = places[row.slots.kind]
        if row.slots.conductance and row.slots.kind == "signs":
            place = "one or two"
        if row.receptor == "delta":
            place += "; or none"
        if row.receptor == "current":
            place = "none but the built-in `current`"
        elif row.current:
            place += f"; and `current`, whose spikes move the membrane by weight * {row.current}"
        methods = ", ".join(map(_code, row.methods))
        rows.append([_code(row.neuron), _code(row.receptor), place, methods, _code(row.model), row.agreement])
    head = ["neuron", "receptors", "how many", "method", "NEST", "agreement"]
    found = _table(head, rows)
    found += ["Parameters, in NEST's units:\n"]
    seen: dict[tuple[str, str], list[str]] = {}
    for row in ROWS:
        fixed = {name: str(value) for name, value in row.fixed.items()}
        theirs = {"t_ref": "refractory - dt"} if row.refractory else {}
        text = _given({**row.parameters, **theirs, **fixed, "I_e": "bias + mean of NoiseCurrents"})
        models = seen.setdefault((row.neuron, text), [])
        models += [row.model] if row.model not in models else []
    found += _table(
        ["neuron", "NEST", "parameters"],
        [[_code(neuron), ", ".join(map(_code, models)), text] for (neuron, text), models in seen.items()],
    )
    found += [
        "Neurons without a translation; so are neurons of one's own equations, unless these are the same as above:\n"
    ]
    return found + _table(["neuron", "why"], [[_code(name), why] for name, why in REFUSED_NEURONS.items()])


def _plasticity() -> list[str]:
    rows = [[_code(row.rule), _code(row.model), _parameters(row.parameters, row.tau_minus)] for row in PLASTIC_ROWS]
    found = _table(["rule", "NEST", "parameters"], rows)
    agreements: dict[str, list[str]] = {}
    for row in PLASTIC_ROWS:
        agreements.setdefault(row.agreement, []).append(_code(row.rule))
    found += [f"{', '.join(rules)}: {agreement}.\n" for agreement, rules in agreements.items()]
    return found + _table(["no translation", "why"], [[_code(name), why] for name, why in REFUSED_RULES.items()])


def _parameters(parameters: object, tau_minus: str) -> str:
    assert isinstance(parameters, dict)
    of_neurons = f", `tau_minus` of the target neurons = {tau_minus}" if tau_minus else ""
    return _given(parameters) + of_neurons


def _devices() -> list[str]:
    names = {
        **{registry.load("inputs", key).__name__: value for key, value in INPUTS.items()},
        **{registry.load("spike_sources", key).__name__: value for key, value in SOURCES.items()},
    }
    return _table(["here", "NEST", "agreement"], [[_code(name), *value] for name, value in names.items()])


def _wiring() -> list[str]:
    rules = [[_code(rule.__name__), _code(name)] for rule, (name, _) in RULES.items()]
    rules += [[_code(rule.__name__), "given as arrays, nothing is drawn"] for rule in GIVEN]
    rules += [["`DistanceDependent`", "refused; NEST can be given its arrays (leave the option out)"]]
    distributions = [[_code(kind.__name__), name] for kind, name in DISTRIBUTIONS.items()]
    distributions += [["`Choice`", "refused; NEST can be given its arrays (leave the option out)"]]
    return _table(["rule", "NEST"], rules) + _table(["distribution", "NEST"], distributions)


if __name__ == "__main__":
    print(document(), end="")
