"""The benchmark of local rules: its settings, its table, its account of what holds."""

import pytest

from benchmarks.local_rules import DATA, RULES, settings_for, table, verdicts
from spikelab import registry


def runs(**accuracies):
    return [
        {
            "data": "mnist",
            "rule": rule,
            "seed": seed,
            "accuracy": value,
            "cpu_seconds": 1.0,
        }
        for rule, values in accuracies.items()
        for seed, value in enumerate(values)
    ]


def test_rules_and_data_are_registered_and_all_else_is_the_same(tmp_path):
    made = {rule: settings_for(tmp_path, "mnist", rule, 1, 3) for rule in RULES}
    for rule, settings in made.items():
        assert settings.rule.name in registry.names("rules"), rule
        assert (settings.optimiser, settings.schedule, settings.data, settings.model, settings.seed) == (
            made["bp"].optimiser,
            made["bp"].schedule,
            made["bp"].data,
            made["bp"].model,
            1,
        )
    assert set(DATA) <= set(registry.names("datasets"))


def test_the_table_has_means_spreads_and_differences():
    cost = {"signal_operations": 1234.0, "kept_bytes": 2**20, "milliseconds": 12.34}
    costs = dict.fromkeys(("bp", "lls_square", "frozen"), cost)
    found = table(runs(bp=[0.9, 0.92], lls_square=[0.88, 0.88], frozen=[0.8]), costs)
    rows = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in found.splitlines()}
    assert rows["bp"] == ["91.00 ± 1.41", "+0.0", "1,234", "1.00", "12.3"]
    assert rows["lls_square"] == ["88.00 ± 0.00", "-3.0", "1,234", "1.00", "12.3"]
    assert rows["frozen"][:2] == ["80.00", "-11.0"]


@pytest.mark.parametrize(("lls", "near", "far"), [(0.88, "yes", "yes"), (0.86, "no", "yes"), (0.815, "no", "no")])
def test_what_falls_short_is_told(lls, near, far):
    line = verdicts(runs(bp=[0.91], lls_sine=[lls], frozen=[0.8]))[-1]
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells == ["mnist, lls_sine", f"{91 - 100 * lls:+.1f}", near, f"{100 * lls - 80:+.1f}", far]
    assert len(verdicts(runs(bp=[0.9]))) == 2
