"""Pictures of placements."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from placed_networks import GENERIC, LOIHI, SPECK, chain, even, halsie

from spikelab.hw.chip_map import COLOURS, draw_chip_map
from spikelab.hw.connections import Dense
from spikelab.hw.neurons.generic import GENERIC_LIF_16
from spikelab.hw.neurons.loihi_lif import LOIHI_LIF
from spikelab.hw.neurons.speck import SPECK_IF
from spikelab.hw.place import place


def small():
    return chain(GENERIC_LIF_16, GENERIC, 0, ("out", (9,), Dense(even(0, (9, 9)))), source=(9,))


@pytest.mark.parametrize(
    ("target", "graph"),
    [
        ("cortex_m0_stm32l072", small),
        ("speck", lambda: halsie(SPECK_IF, SPECK, 0)),
        ("loihi2", lambda: halsie(LOIHI_LIF, LOIHI, 1, side=64)),
    ],
)  # fmt: skip
def test_chip_map(target, graph, tmp_path):
    placement = place(graph(), target)
    path = draw_chip_map(placement, tmp_path / "map.png")
    picture = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    colours = {tuple(colour) for colour in np.unique(picture, axis=0)}
    placed = {piece.piece.population for core in placement.cores for piece in core.pieces}
    for place_in_graph, p in enumerate(placement.graph.populations):
        code = COLOURS[place_in_graph % len(COLOURS)].lstrip("#")
        assert (tuple(int(code[k : k + 2], 16) for k in (0, 2, 4)) in colours) or p.name not in placed
    assert draw_chip_map(placement, tmp_path / "map.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_an_unknown_picture_format_is_an_error(tmp_path):
    placement = place(small(), "cortex_m0_stm32l072")
    with pytest.raises(ValueError, match=r"map\.bmpx: unknown picture format 'bmpx'; use one of .*png"):
        draw_chip_map(placement, tmp_path / "map.bmpx")
