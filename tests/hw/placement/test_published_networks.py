"""Networks that others published as NIR files, lowered and mapped."""

from __future__ import annotations

import pytest
from placed_networks import check

from spikelab.hw.lower import lower
from spikelab.hw.lowering.real_graph import LoweringError
from spikelab.hw.place import place
from spikelab.io.nir_read import CannotImport

#: Profile and target.
TARGETS = (("speck", "speck"), ("loihi", "loihi1"), ("loihi", "loihi2"), ("generic", "cortex_m4_nrf52840"))


@pytest.mark.shared
@pytest.mark.parametrize(("profile", "target"), TARGETS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_published_networks(shared, profile, target):
    placed = 0
    for path in sorted((shared / "data" / "nir_models").rglob("*.nir")):
        try:
            graph = lower(path, profile, dt=1e-4).graph
        except (LoweringError, CannotImport):
            continue
        placement = place(graph, target)
        check(placement)
        # small networks: if anything is amiss it is a rule of the chip, never its size
        assert not {v.limit for v in placement.violations} & {"cores", *placement.target.resources}, path.name
        placed += 1
    assert placed


@pytest.mark.shared
def test_a_network_made_for_speck_fits_it(shared):
    (path,) = (shared / "data" / "nir_models").rglob("cnn_sinabs.nir")
    placement = place(lower(path, "speck", dt=1e-4).graph, "speck")
    check(placement)
    assert placement.fits
    assert len(placement.cores) == 5
