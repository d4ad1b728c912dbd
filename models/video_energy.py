"""Operations and estimated energy of a model of compressed video.

They are counted and multiplied by a named table of published costs: an **estimate** that leaves out memory, decoding
and everything that is not a layer. What a machine's meters say is another thing: ``spikelab.models.measured_energy``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spikelab.models.hybrid_energy import judging, modelled_joule, ordinary_macs, spiking_operations
from spikelab.models.video import CompressedVideo
from spikelab.nn.operation_costs import cost_table


def energy(model: CompressedVideo, batch: Mapping[str, Any], table: str = "45nm_float32") -> dict[str, Any]:
    """Operations and estimated energy of a video, without its decoding.

    Args:
        model: any variant; it is run in evaluation mode.
        batch: of a data set of compressed video.
        table: name of the table of costs, see ``spikelab.nn.operation_costs``.

    Returns:
        nested dict of numbers: ``ordinary_macs``; where the modulators spike, their ``layers``, ``spike_rates`` and
        ``membrane_updates`` as ``spikelab.models.hybrid_energy.spiking_operations`` says; and
        ``estimated_joule_<table>``: by formula (usual, conservative) and by counting.

    Raises:
        ValueError: if there is no such table, or it has no cost of a multiply-accumulate.
    """
    costs = cost_table(table)
    videos = len(batch["valid"])
    spiking_part = model.motion if model.motion is not None and model.motion.spiking else None
    with judging(model):
        ordinary = ordinary_macs(model, spiking_part, videos, lambda: model(*(batch[name] for name in model.inputs)))
        spiking = spiking_operations(spiking_part.network, model.encode(batch), videos) if spiking_part else {}
    return {
        "ordinary_macs": ordinary,
        **spiking,
        f"estimated_joule_{table}": modelled_joule(ordinary, spiking, costs),
    }
