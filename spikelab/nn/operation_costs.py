"""What one operation costs in energy, as published, by name: for *modelled* figures, which are never measured ones.

Published numbers disagree by more than a factor of ten for one and the same chip, since they count different things; so
each cost is a range, and each has its source. None of them has what a board, a memory interface or an idle chip takes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from spikelab.registry import suggestion

PICO = 1e-12


@dataclass(frozen=True)
class Cost:
    """Joules of one operation.

    Attributes:
        low: smallest published.
        typical: the one to quote.
        high: largest published.
        source: where from.
    """

    low: float
    typical: float
    high: float
    source: str


@dataclass(frozen=True)
class CostTable:
    """Costs of the operations that a kind of hardware is made of; None where nothing is published, or nothing is due.

    Attributes:
        name: to ask for it by.
        title: in words.
        accumulate: adding a weight because a spike came, that is a synaptic operation of a binary message.
        multiply_accumulate: adding a weight times a graded message.
        awake_update: updating a neuron that is not at rest.
        resting_update: visiting a neuron that is at rest, for hardware that visits all of them at each step.
        weight_byte: reading a byte of weights.
        state_byte: reading or writing a byte of state.
        left_out: what the numbers do not hold.
    """

    name: str
    title: str
    accumulate: Cost
    multiply_accumulate: Cost | None = None
    awake_update: Cost | None = None
    resting_update: Cost | None = None
    weight_byte: Cost | None = None
    state_byte: Cost | None = None
    left_out: str = ""


#: What a membrane update is taken for where only arithmetic is known: a decay and an addition, and a comparison.
UPDATE_IN_MACS = 2

_HOROWITZ = "Horowitz, Computing's energy problem, ISSCC 2014, 45 nm, 0.9 V"
_SENECA = "Tang et al., SENECA, Front. Neurosci. 17:1187252 (2023), table 3"
_MEMORY = "memory, data movement, control and leakage, which usually cost more than the arithmetic"
_SYSTEM = "off-chip memory, host, board, and the chip's idle power unless its authors counted it"


def _exact(picojoule: float, source: str) -> Cost:
    return Cost(picojoule * PICO, picojoule * PICO, picojoule * PICO, source)


def _arithmetic(kind: str, title: str, multiply: float, add: float) -> CostTable:
    both = _exact(round(multiply + add, 6), f"{_HOROWITZ}: multiplication {multiply} pJ, addition {add} pJ")
    update = _exact(
        round(UPDATE_IN_MACS * (multiply + add), 6), f"{UPDATE_IN_MACS} multiply-accumulates; {both.source}"
    )
    return CostTable(
        f"45nm_{kind}",
        f"{title} arithmetic in 45 nm CMOS",
        _exact(add, f"{_HOROWITZ}: addition"),
        both,
        awake_update=update,
        left_out=_MEMORY,
    )


def _chip(name: str, title: str, low: float, typical: float, high: float, source: str) -> CostTable:
    cost = Cost(low * PICO, typical * PICO, high * PICO, source)
    left_out = f"whatever the authors did not fold into a synaptic operation, mostly neuron updates; {_SYSTEM}"
    return CostTable(name, title, cost, cost, left_out=left_out)


_INT8 = _arithmetic("int8", "8-bit integer", 0.2, 0.03)
# an access to a cache of 8 KiB takes 10 pJ for 64 bits, of 1 MiB 100 pJ
_CACHE = Cost(10 / 8 * PICO, 20 / 8 * PICO, 100 / 8 * PICO, f"{_HOROWITZ}: 64 bits of a cache of 8 KiB, 32 KiB, 1 MiB")
_DAVIES = "Davies et al., Loihi, IEEE Micro 38(1) (2018), table 2, simulated before silicon"

TABLES: dict[str, CostTable] = {
    table.name: table
    for table in (
        _arithmetic("float32", "32-bit floating-point", 3.7, 0.9),
        _arithmetic("float16", "16-bit floating-point", 1.1, 0.4),
        _arithmetic("int32", "32-bit integer", 3.1, 0.1),
        _INT8,
        CostTable(
            "45nm_int8_memory",
            "8-bit integer arithmetic in 45 nm CMOS with weights and states in on-chip memory",
            _INT8.accumulate,
            _INT8.multiply_accumulate,
            _INT8.awake_update,
            weight_byte=_CACHE,
            state_byte=_CACHE,
            left_out="routing of events, control, leakage and off-chip memory (1300 to 2600 pJ for 64 bits)",
        ),
        CostTable(
            "loihi",
            "Loihi 1",
            _exact(23.6, f"{_DAVIES}: synaptic operation, minimum"),
            None,
            awake_update=_exact(81, f"{_DAVIES}: neuron update, active"),
            resting_update=_exact(52, f"{_DAVIES}: neuron update, inactive"),
            left_out=f"routing of spikes (1.7 pJ within a tile, 3 to 4 pJ a hop); {_SYSTEM}",
        ),
        _chip("spinnaker", "SpiNNaker 1", 45, 45, 8000, f"45 pJ: {_SENECA}; 8 nJ: Stromatias et al., IJCNN 2013"),
        _chip("spinnaker2", "SpiNNaker 2", 10, 10, 10, f"Höppner et al. 2021, in {_SENECA}"),
        _chip("odin", "ODIN", 8.4, 12.7, 12.7, "Frenkel et al., IEEE TBioCAS 13(1) (2019): incremental, and in total"),
        _chip("reckon", "ReckOn", 5.3, 5.3, 5.3, f"Frenkel and Indiveri, ISSCC 2022, in {_SENECA}"),
        _chip("seneca", "SENECA", 2.8, 2.8, 2.8, _SENECA),
        _chip(
            "truenorth", "TrueNorth", 2.5, 26, 26, f"26 pJ: Merolla et al., Science 345 (2014); 2.5 pJ: in {_SENECA}"
        ),
    )
}
_UNPUBLISHED = {"loihi2": "Intel has published no energy of a synaptic operation of Loihi 2; 'loihi' is Loihi 1"}


def cost_table(name: str) -> CostTable:
    """The table of a name.

    Raises:
        ValueError: if there is none; lists the known ones.
    """
    if name not in TABLES:
        why = _UNPUBLISHED.get(name.lower().replace(" ", "").replace("_", ""), "")
        raise ValueError(f"no cost table {name!r}; {why + '. ' if why else ''}{suggestion(name, list(TABLES))}")
    return TABLES[name]


def sources(table: CostTable) -> dict[str, str]:
    """Operation -> where its cost is from."""
    costs = {f.name: getattr(table, f.name) for f in fields(table)}
    return {name: cost.source for name, cost in costs.items() if isinstance(cost, Cost)}
