"""Operations and modelled energy of HALSIE, by the field's formula and by counting, each under its own name.

45 nm CMOS, 32-bit floating point: 4.6 pJ a multiply-accumulate (MAC), 0.9 pJ an accumulate (AC) (Horowitz, ISSCC
2014). These are *modelled* figures: they leave out memory, which usually costs more than the arithmetic.
``spikelab.models.hybrid_energy`` says how both ways count.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from spikelab.models.halsie import Halsie, SpikingEncoder
from spikelab.models.hybrid_energy import judging, modelled_joule, ordinary_macs, spiking_operations
from spikelab.nn.operation_costs import TABLES


def energy(model: Halsie, events: Tensor, frame: Tensor) -> dict[str, Any]:
    """Operations and modelled energy per sample.

    Args:
        model: any variant; it is run in evaluation mode.
        events: [B, T, 2, H, W].
        frame: [B, 1, H, W].

    Returns:
        nested dict of numbers: ``ordinary_macs``, per spiking layer its mean input rate and operations, and joules by
        formula (usual, conservative) and by counting.
    """
    encoder = model.events if isinstance(model.events, SpikingEncoder) else None
    with judging(model):
        ordinary = ordinary_macs(model, encoder, len(events), lambda: model(events, frame))
        spiking = spiking_operations(encoder.network, events.transpose(0, 1), len(events)) if encoder else {}
    joule = modelled_joule(ordinary, spiking, TABLES["45nm_float32"])
    return {
        "ordinary_macs": ordinary,
        **spiking,
        "modelled_joule_by_formula": joule["by_formula"],
        "modelled_joule_by_counting": joule["by_counting"],
    }
