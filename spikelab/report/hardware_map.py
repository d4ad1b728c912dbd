"""The `spikelab map` command: a network on the cores of a chip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spikelab.hw.chip_map import draw_chip_map
from spikelab.hw.lowering.real_graph import LoweringError
from spikelab.hw.place import Placement, place
from spikelab.io.atomic import write_json_atomically
from spikelab.report.deployment import Deployed, default_folder, deploy
from spikelab.settings_hardware import Map


def placed(deployed: Deployed) -> Placement:
    """The network on its target."""
    assert deployed.target is not None
    return place(deployed.lowered.graph, deployed.target)


def map_network(settings: Map) -> dict[str, Any]:
    """Lays a network on a chip.

    Returns:
        what the placement reports, `arithmetic`: why the chip's arithmetic has no form for it, `text`, `files`.

    Raises:
        LoweringError: lists everything that has no integer form on any chip.
        ValueError: if no target is named, or there is none of that name.
    """
    if not settings.target:
        raise ValueError("map: name a chip: --target loihi2")
    reasons: list[str] = []
    try:
        deployed = deploy(settings)
    except LoweringError as error:
        # what the arithmetic lacks is no answer to whether the chip is large enough
        reasons = str(error).splitlines()[1:]
        deployed = deploy(settings, "generic")
    folder = Path(settings.folder) if settings.folder else default_folder(settings, f"map-{Path(settings.target).stem}")
    folder.mkdir(parents=True, exist_ok=True)
    placement = placed(deployed)
    if reasons:
        placement = placement.for_other_arithmetic(reasons)
    report = placement.report() | {"notes": deployed.lowered.notes, "arithmetic": reasons}
    write_json_atomically(folder / "report.json", report)
    picture = folder / "chip_map.png"
    draw_chip_map(placement, picture)
    return {**report, "text": placement.text(), "files": [str(folder / "report.json"), str(picture)]}
