"""What comes, and when: two readouts of a spiking reservoir that learn the statistics of events after a cue.

After Yamada & Chao, "Joint encoding of what and when ..." (arXiv 2510.14382; Communications Biology 2026). No code of
the authors was found, and the paper could be read only through notes of others. So this is a **reconstruction**: what
is known of the paper and what is ours stands beside each number in ``parameters``.

    from spikelab.sim.what_and_when import ReservoirParameters, run_session

    session = run_session("three_factor", ReservoirParameters(neurons=300, seed=0))
    session.errors      # of the test trials, block by block
"""

from spikelab.sim.what_and_when.experiment import Experiment, run_experiment
from spikelab.sim.what_and_when.geometry import GeometryResult, readout_geometry
from spikelab.sim.what_and_when.parameters import (
    DEFAULT_BLOCKS,
    SCHEDULES,
    Block,
    LearningParameters,
    ReservoirParameters,
    TaskParameters,
)
from spikelab.sim.what_and_when.probability_sweep import SweepResult, probability_sweep
from spikelab.sim.what_and_when.readout import RULES, Readout
from spikelab.sim.what_and_when.reservoir import Reservoir, build_network
from spikelab.sim.what_and_when.session import Session, SessionResult, run_session

__all__ = [
    "DEFAULT_BLOCKS",
    "RULES",
    "SCHEDULES",
    "Block",
    "Experiment",
    "GeometryResult",
    "LearningParameters",
    "Readout",
    "Reservoir",
    "ReservoirParameters",
    "Session",
    "SessionResult",
    "SweepResult",
    "TaskParameters",
    "build_network",
    "probability_sweep",
    "readout_geometry",
    "run_experiment",
    "run_session",
]
