"""Which of NEST's plastic synapses follows which of our rules, and in what it differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_WHERE = (
    "NEST's delay lies between synapse and soma, ours between sender and synapse: a sender's spike at t and a "
    "target's at s are s + delay - t apart in NEST, s - delay - t here, so the same window is moved by twice the "
    "delay. Spikes that meet at the synapse in one step change nothing in NEST. It brings a weight up to date at the "
    "next spike of its sender, so weights that are read lack what the target's last spikes did"
)
_WINDOW = {"tau_plus": "tau_plus", "lambda": "a_plus", "alpha": "a_minus / a_plus", "Wmax": "w_max"}


@dataclass(frozen=True)
class PlasticRow:
    """One of our rules and NEST's synapse.

    Attributes:
        rule: registered name.
        model: NEST's.
        parameters: NEST's parameter -> expression over ours, in NEST's units.
        agreement: in what they differ.
        tau_minus: our parameter that is one of the target neurons in NEST, or "".
        positive: parameters of ours that must be above 0.
    """

    rule: str
    model: str
    parameters: Mapping[str, str]
    agreement: str
    tau_minus: str = ""
    positive: tuple[str, ...] = field(default=())


def _pairs(rule: str, mu_plus: str, mu_minus: str, model: str = "stdp_synapse") -> PlasticRow:
    parameters = {**_WINDOW, "mu_plus": mu_plus, "mu_minus": mu_minus}
    return PlasticRow(rule, model, parameters, _WHERE, "tau_minus", ("a_plus",))


PLASTIC_ROWS: tuple[PlasticRow, ...] = (
    _pairs("pair_stdp", "0", "0"),
    _pairs("nearest_pair_stdp", "0", "0", "stdp_nn_symm_synapse"),
    _pairs("multiplicative_stdp", "1", "1"),
    _pairs("power_law_stdp", "mu", "mu"),
    PlasticRow(
        "tsodyks_markram",
        "tsodyks2_synapse",
        # what the first spike finds: all resources, of which it uses its part
        {"U": "utilisation", "tau_rec": "tau_rec", "tau_fac": "tau_facil", "u": "utilisation", "x": "1"},
        "the same numbers but for rounding",
    ),
)

#: Registered rules without a row, and why.
REFUSED_RULES: dict[str, str] = {
    "triplet_stdp": "not translated; NEST's stdp_triplet_synapse is similar",
    "nearest_triplet_stdp": "not translated; NEST's stdp_triplet_synapse is similar",
    "inhibitory_stdp": "not translated; NEST's vogels_sprekeler_synapse is similar",
    "hebbian": "NEST has no synapse with this rule",
    "oja": "NEST has no synapse with this rule",
    "reward_modulated_stdp": "NEST's stdp_dopamine_synapse takes the reward from spikes of neurons, not as a signal",
    "three_factor_hebbian": "NEST has no synapse with this rule",
    "homeostatic_scaling": "NEST has no synapse with this rule",
}
