"""Weights that Brian2 computed from given spikes (its SOURCE.md gives the recipe and the order within a step)."""

import numpy as np
import pytest
from hand_driven import Case, HandDriven

from spikelab.sim.plasticity.choice import Plasticity

pytestmark = pytest.mark.shared


@pytest.mark.parametrize("execution", ["history", "snapshot"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_brian2s_weights(shared, execution, dtype):
    files = sorted((shared / "data" / "reference_sims").glob("stdp_pairs*brian2.npz"))
    if not files:
        pytest.skip(f"no stdp_pairs in {shared}/data/reference_sims")
    for file in files:
        stored = np.load(file)
        dt, delay = 1e-4, 1
        steps = {name: np.round(stored[f"{name}_times_ms"] / (dt * 1e3)).astype(int) for name in ("pre", "post")}
        order = np.lexsort((stored["j"], stored["i"]))
        sizes = stored["i"].max() + 1, stored["j"].max() + 1
        last = 10_000 + delay
        # Brian2's spikes arrive without delay; here they are emitted one step earlier, which is the shortest delay
        spikes = {
            name: [np.sort(stored[f"{name}_ids"][steps[name] + delay - early == s]) for s in range(last)]
            for name, early in (("pre", delay), ("post", 0))
        }
        case = Case(
            sizes,
            stored["i"][order],
            stored["j"][order],
            np.full(order.size, delay),
            np.full(order.size, 0.5),
            spikes["pre"],
            spikes["post"],
            dt,
        )
        choice = Plasticity("pair_stdp", execution=execution, a_plus=0.01, a_minus=0.0105, w_max=1.0)
        bench, trace = HandDriven(case, choice, dtype), []
        tolerance = 1e-14 if dtype == "float64" else 1e-6
        for time in np.round(stored["t_ms"] / (dt * 1e3)).astype(int):
            # what Brian2 records at a time is from before that time's spikes
            bench.run(time + delay - bench.now)
            trace.append(bench.variable("w"))
        bench.run(last - bench.now)
        np.testing.assert_allclose(np.array(trace).T, stored["w_trace"][order], atol=tolerance, rtol=0)
        np.testing.assert_allclose(bench.variable("w"), stored["w_final"][order], atol=tolerance, rtol=0)
