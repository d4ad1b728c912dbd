"""Operations, speed and energy of a model of compressed video: what is estimated apart from what is measured.

``energy`` counts operations and multiplies them by a named table of published costs: an **estimate** that leaves out
memory, decoding and everything that is not a layer. ``throughput`` runs the model on this machine and reads its meters:
a **measurement** of this program on this processor, with the machine's idle power in it. One says nothing of the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from spikelab.models.hybrid_energy import judging, modelled_joule, ordinary_macs, spiking_operations
from spikelab.models.measured_energy import measure
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


def throughput(model: CompressedVideo, batch: Mapping[str, Any], seconds: float = 1.0) -> dict[str, Any]:
    """Videos per second of the model on the machine that it is on, without their decoding, and joules per video.

    Args:
        model: is run in evaluation mode.
        batch: of a data set of compressed video, on the model's device.
        seconds: to measure for at least.

    Returns:
        ``videos_per_second``, ``videos_of_a_batch``, ``threads``, and ``measured_joule_per_video``: meter -> joules,
        empty where the machine has no meter that can be read.
    """
    videos = len(batch["valid"])
    with judging(model):
        found = measure(lambda: model(*(batch[name] for name in model.inputs)), videos, seconds)
    return {
        "videos_per_second": found["samples_per_second"],
        "videos_of_a_batch": videos,
        "threads": torch.get_num_threads(),
        "measured_joule_per_video": found.get("joule_per_sample", {}),
    }
