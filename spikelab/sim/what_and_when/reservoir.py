"""The reservoir: a network of the simulator, and its arrays for a loop that runs one trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikelab.sim.choices import Receptor
from spikelab.sim.distributions import TruncatedNormal
from spikelab.sim.inputs import StepCurrent
from spikelab.sim.network import Network
from spikelab.sim.numba_engine.population_state import PopulationState
from spikelab.sim.what_and_when.parameters import ReservoirParameters, TaskParameters
from spikelab.sim.what_and_when.trial import compiled_trial
from spikelab.sim.wiring import FixedProbability

#: Step of a trial, s: the resolution of the timing readout in the paper, and Izhikevich's own.
DT = 1e-3
#: The receptor at which recurrent spikes arrive.
RECURRENT = "recurrent"
#: Events A and B.
CHANNELS = 2
_BACKGROUND, _CUE, _FEEDBACK, _CELLS = range(4)


def build_network(parameters: ReservoirParameters) -> Network:
    """Heterogeneous Izhikevich neurons with random recurrent synapses that obey Dale's law.

    Excitatory cells lie between regular spiking and chattering, inhibitory ones between fast and low-threshold spiking,
    drawn as in Izhikevich 2003. Weights are halves of normal distributions; synapses take one step.

    Returns:
        The network, of one population "cells", the excitatory ones first; nothing drives it yet.
    """
    count = parameters.neurons
    excitatory = round(count * parameters.excitatory_share)
    random = np.random.default_rng([parameters.seed, _CELLS])
    mix, other = random.random(excitatory), random.random(count - excitatory)
    a = np.concatenate([np.full(excitatory, 0.02), 0.02 + 0.08 * other])
    b = np.concatenate([np.full(excitatory, 0.2), 0.25 - 0.05 * other])
    c = np.concatenate([-65 + 15 * mix**2, np.full(count - excitatory, -65.0)])
    d = np.concatenate([8 - 6 * mix**2, np.full(count - excitatory, 2.0)])
    network = Network(dt=DT, seed=parameters.seed)
    cells = network.population(
        "cells",
        count,
        "izhikevich",
        receptors={RECURRENT: Receptor("exponential_current", tau_syn=parameters.tau_synapse)},
        initial={"v": -65.0, "u": b * -65.0},
        # two half steps of the membrane in a millisecond, as in his script
        method="half_step_euler",
        a=a,
        b=b,
        c=c,
        d=d,
    )
    if parameters.gain and parameters.connection_probability:
        wiring = FixedProbability(parameters.connection_probability, allow_autapses=False)
        size = 10 * parameters.gain / np.sqrt(parameters.connection_probability * count)
        network.projection(
            cells[:excitatory], cells, wiring, receptor=RECURRENT, weight=TruncatedNormal(0.0, size, low=0.0)
        )
        if parameters.inhibition:
            weight = TruncatedNormal(0.0, parameters.inhibition * size, high=0.0)
            network.projection(cells[excitatory:], cells, wiring, receptor=RECURRENT, weight=weight)
    return network


@dataclass(frozen=True, eq=False)
class Reservoir:
    """A network's arrays, as the trial loop takes them.

    One reservoir runs one trial at a time: it holds the state of the neurons.

    Attributes:
        parameters: what it was built from.
        network: the network.
        trial: compiled loop of a trial, see ``compiled_trial``; the step of the neurons in it is the one that the
            simulator's engine generates from their equations.
        arguments: what that step takes; the arrays of states and inputs are among them.
        states: names -> arrays of the neurons' states, and their values at the beginning of a trial.
        flags: which neurons spiked in the step, uint8 [padded].
        current: input current of the step, [padded].
        arriving: what arrives at the recurrent receptor in the step, [padded].
        starts: the synapses of neuron j are starts[j] to starts[j + 1], int64 [neurons + 1].
        targets: int32 [synapses].
        weights: [synapses].
        drive: background and cue of each step, [steps, neurons].
        feedback: current into each neuron for a timing output of 1, [neurons, channels].
    """

    parameters: ReservoirParameters
    network: Network
    trial: Any
    arguments: tuple[Any, ...]
    states: dict[str, tuple[np.ndarray, np.ndarray]]
    flags: np.ndarray
    current: np.ndarray
    arriving: np.ndarray
    starts: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    drive: np.ndarray
    feedback: np.ndarray

    @classmethod
    def build(cls, parameters: ReservoirParameters, task: TaskParameters | None = None) -> Reservoir:
        """Builds the network and takes its arrays."""
        task = task or TaskParameters()
        network = build_network(parameters)
        cells, count = network.populations["cells"], parameters.neurons
        state = PopulationState(cells, network.dt, np.dtype(np.float64), {"current", RECURRENT}, 1)
        step, arguments = state.step_for_own_loop()
        starts, targets, weights = _synapses(network, count)
        return cls(
            parameters=parameters,
            network=network,
            trial=compiled_trial(step),
            arguments=arguments,
            states={name: (values, values.copy()) for name, values in state.states.items()},
            flags=arguments[0],
            current=state.rings["current"][0],
            arriving=state.rings[RECURRENT][0],
            starts=starts,
            targets=targets,
            weights=weights,
            drive=_drive(parameters, task),
            feedback=parameters.feedback
            * np.random.default_rng([parameters.seed, _FEEDBACK]).standard_normal((count, CHANNELS)),
        )

    def reset(self) -> None:
        """Brings the neurons to where every trial begins."""
        for values, start in self.states.values():
            values[:] = start
        self.current[:] = 0.0
        self.arriving[:] = 0.0

    def driven_network(self) -> Network:
        """The same network with background and cue as inputs, for the simulator's engines: a trial without readouts."""
        network = build_network(self.parameters)
        times = np.arange(len(self.drive)) * DT
        network.input(network.populations["cells"], StepCurrent(times=times, values=self.drive))
        return network


def _synapses(network: Network, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All synapses by sender: (starts, targets, weights). Projections come in the order of their senders."""
    degrees, targets, weights = np.zeros(count, np.int64), [np.zeros(0, np.int32)], [np.zeros(0)]
    for projection in network.projections:
        found, first = network.synapses(projection), projection.source.first
        degrees[first : first + projection.source.size] = found.connectivity.out_degrees()
        targets.append(found.connectivity.targets.astype(np.int32))
        weights.append(network.weights(projection))
    starts = np.concatenate([[0], np.cumsum(degrees)]).astype(np.int64)
    return starts, np.concatenate(targets), np.concatenate(weights)


def _drive(parameters: ReservoirParameters, task: TaskParameters) -> np.ndarray:
    """Background and cue, which are the same in every trial, [steps, neurons]."""
    count = parameters.neurons
    background = np.random.default_rng([parameters.seed, _BACKGROUND]).standard_normal((task.steps, count))
    drive = parameters.background * background
    cue = np.random.default_rng([parameters.seed, _CUE]).standard_normal(count)
    drive[round(task.cue * 1e3) : task.after_cue] += parameters.cue_strength * cue
    return drive
