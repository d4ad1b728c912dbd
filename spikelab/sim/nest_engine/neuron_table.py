"""Which of NEST's neurons has the equations of which of ours: the whole table, from which code and documents are made.

Parameters of NEST are expressions over ours in NEST's units (ms, pF, ...), in which a dimensionless neuron's numbers
are consistent too: C_m = tau_mem / r turns "1" into both pA and mV.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: What an entry of the column ``agreement`` means.
SAME = "the same numbers but for rounding"
SOLVED = "NEST solves the equations adaptively (Runge-Kutta-Fehlberg); ours agree as dt goes to 0"

_LIF = {"tau_m": "tau_mem", "E_L": "v_leak", "V_th": "v_threshold", "V_reset": "v_reset"}
_VOLTS = {"C_m": "capacitance", **_LIF}
_PLAIN = {"C_m": "tau_mem / r", **_LIF}
_ADAPTIVE = {
    "C_m": "capacitance",
    "E_L": "v_leak",
    "V_th": "v_threshold",
    "Delta_T": "slope_factor",
    "V_peak": "v_peak",
    "V_reset": "v_reset",
}
_ADEX = {**_ADAPTIVE, "g_L": "g_leak", "tau_w": "tau_adaptation", "a": "a", "b": "adaptation_jump"}
_EXPONENTIAL = {**_ADAPTIVE, "g_L": "capacitance / tau_mem", "a": "0", "b": "0"}
_IZHIKEVICH = {"a": "a", "b": "b", "c": "c", "d": "d", "V_th": "v_peak"}


def _conductance(parameters: Mapping[str, str], leak: str) -> dict[str, str]:
    """The same neuron by its leak conductance instead of its time constant."""
    return {**{name: value for name, value in parameters.items() if name != "tau_m"}, "g_L": leak}


@dataclass(frozen=True)
class Slots:
    """Where a NEST neuron takes spikes; ``{}`` in a name stands for the slot's own.

    Attributes:
        kind: "membrane" (the one place where a spike moves the membrane), "signs" (``ex`` for weights of one sign,
            ``in`` for the other) or "ports" (any number, counted from 1).
        parameters: receptor's parameter -> NEST's; for ports a list.
        states: receptor's state -> what NEST's recorders call it.
        conductance: weights are never negative, and which slot is which does not follow from their signs.
        sizes: what is recorded of ``in`` is a size, positive where the current is negative.
    """

    kind: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    conductance: bool = False
    sizes: bool = False


MEMBRANE = Slots("membrane")
_TAU, _REVERSAL = {"tau_syn": "tau_syn_{}"}, {"reversal": "E_{}"}
CURRENT_SIGNS = Slots("signs", _TAU, {"i": "I_syn_{}"})
CURRENT_SIZES = Slots("signs", _TAU, {"i": "I_syn_{}"}, sizes=True)
CURRENT_PORTS = Slots("ports", {"tau_syn": "tau_syn"}, {"i": "I_syn_{}"})
CONDUCTANCE_SIGNS = Slots("signs", _TAU | _REVERSAL, {"g": "g_{}"}, True)
CONDUCTANCE_PORTS = Slots("ports", {"tau_syn": "tau_syn", "reversal": "E_rev"}, {"g": "g_{}"}, True)


@dataclass(frozen=True)
class Row:
    """One of our neurons with receptors of one kind, and the NEST model with the same equations.

    Attributes:
        neuron: its registered name.
        receptor: registered name of the kind of its receptors; rows of the receptor "delta" also take neurons without.
        model: NEST's.
        slots: where spikes arrive.
        methods: our discretisations that the row stands for.
        parameters: NEST's parameter -> expression over ours.
        states: our state -> NEST's, beside those of the receptors.
        agreement: how far both agree.
        fixed: parameters of NEST that do not depend on ours.
        current: weight of the receptor "current" on the membrane: an expression over our parameters and ``dt``, in
            NEST's units; "" where a spike that is an input for one step cannot be expressed.
        refractory: whether the model has a refractory time.
    """

    neuron: str
    receptor: str
    model: str
    slots: Slots
    methods: tuple[str, ...]
    parameters: Mapping[str, str]
    agreement: str
    states: Mapping[str, str] = field(default_factory=lambda: {"v": "V_m"})
    fixed: Mapping[str, float | bool] = field(default_factory=dict)
    current: str = ""
    refractory: bool = True


def _lif(neuron: str, parameters: Mapping[str, str], leak: str) -> tuple[Row, ...]:
    held = f"tau_mem / ({parameters['C_m']}) * (1 - exp(-dt / tau_mem))"
    exact, solved = ("exact",), ("runge_kutta_4",)
    by_leak = _conductance(parameters, leak)
    return (
        Row(neuron, "delta", "iaf_psc_delta", MEMBRANE, exact, parameters, SAME, current=held),
        Row(neuron, "exponential_current", "iaf_psc_exp", CURRENT_SIGNS, exact, parameters, SAME),
        Row(neuron, "exponential_current", "iaf_psc_exp_multisynapse", CURRENT_PORTS, exact, parameters, SAME),
        Row(neuron, "alpha_current", "iaf_psc_alpha", CURRENT_SIGNS, exact, parameters, SAME),
        Row(neuron, "alpha_current", "iaf_psc_alpha_multisynapse", CURRENT_PORTS, exact, parameters, SAME),
        Row(neuron, "exponential_conductance", "iaf_cond_exp", CONDUCTANCE_SIGNS, solved, by_leak, SOLVED),
        Row(neuron, "alpha_conductance", "iaf_cond_alpha", CONDUCTANCE_SIGNS, solved, by_leak, SOLVED),
    )


def _exponential(neuron: str, parameters: Mapping[str, str], methods: tuple[str, ...]) -> tuple[Row, ...]:
    states = {"v": "V_m", **({"w": "w"} if neuron == "adex" else {})}
    models = (
        ("delta", "aeif_psc_delta", MEMBRANE),
        ("exponential_current", "aeif_psc_exp", CURRENT_SIZES),
        ("alpha_current", "aeif_psc_alpha", CURRENT_SIZES),
        ("exponential_conductance", "aeif_cond_exp", CONDUCTANCE_SIGNS),
        ("alpha_conductance", "aeif_cond_alpha", CONDUCTANCE_SIGNS),
        ("alpha_conductance", "aeif_cond_alpha_multisynapse", CONDUCTANCE_PORTS),
    )
    return tuple(Row(neuron, kind, model, slots, methods, parameters, SOLVED, states) for kind, model, slots in models)


_SIMPLE = {"v": "V_m", "u": "U_m"}
_UNIT = "dt"

ROWS: tuple[Row, ...] = (
    *_lif("lif_membrane", _VOLTS, "capacitance / tau_mem"),
    *_lif("lif", _PLAIN, "1 / r"),
    *_exponential("adex", _ADEX, ("exponential_euler", "runge_kutta_4")),
    *_exponential("exponential_lif", _EXPONENTIAL, ("runge_kutta_4",)),
    Row(
        "izhikevich",
        "delta",
        "izhikevich",
        MEMBRANE,
        ("euler",),
        _IZHIKEVICH,
        SAME,
        _SIMPLE,
        {"consistent_integration": True},
        current=_UNIT,
        refractory=False,
    ),
    Row(
        "izhikevich",
        "current",
        "izhikevich",
        MEMBRANE,
        ("half_step_euler",),
        _IZHIKEVICH,
        SAME,
        _SIMPLE,
        {"consistent_integration": False},
        current="1",
        refractory=False,
    ),
)

#: Registered neurons without a row, and why.
REFUSED_NEURONS: dict[str, str] = {
    "if": "NEST's integrate-and-fire neurons leak; a lif with a long time constant comes close",
    "cuba_lif": "its input reaches the membrane through a filter, and so acts within the step in which a spike "
    "arrives; take a lif with an exponential_current receptor",
    "li": "it emits no spikes",
    "cuba_li": "it emits no spikes",
    "integrator": "it emits no spikes",
    "adaptive_lif": "no neuron of NEST is known to have these equations; NESTML can make one of them",
    "quadratic_lif": "no neuron of NEST is known to have these equations; an izhikevich neuron comes close",
    "hodgkin_huxley": "not translated; NEST's hh_psc_alpha is similar",
    "resonate_and_fire": "no neuron of NEST is known to have these equations; NESTML can make one of them",
}
