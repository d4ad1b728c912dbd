"""A run in turns: an engine works for a moment, then progress, monitors and interruptions have theirs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from tqdm import tqdm

from spikelab.io.stop_request import StopRequest

if TYPE_CHECKING:
    from spikelab.sim.network import Network

#: Seconds of wall time that a turn is to take.
TURN = 0.1
#: Most steps of a turn; bounds what has to be kept at once.
MOST_STEPS = 1 << 14


class SimulationInterrupted(KeyboardInterrupt):
    """A run stopped on request; what was simulated is kept, and the network can run on."""


class Simulation(Protocol):
    """What every engine makes of a network."""

    network: Network
    steps_done: int
    build_seconds: float


def run_in_turns(
    simulation: Simulation, steps: int, turn: Callable[[int], int], progress: bool, *, compile_seconds: float = 0.0
) -> dict[str, Any]:
    """Simulates ``steps`` more steps, turn by turn.

    Args:
        simulation: whose ``steps_done`` every turn moves on.
        steps: how many.
        turn: runs some of the steps that are left, at most up to the step that it gets; returns the number of spikes.
        progress: whether to show a progress bar.
        compile_seconds: wall time that compiling took before.

    Returns:
        the figures of ``Network.run``, but for the number of threads.

    Raises:
        SimulationInterrupted: on request, after the turn in which it came.
    """
    dt, first = simulation.network.dt, simulation.steps_done
    goal, spikes = first + steps, 0
    begun, cpu = time.perf_counter(), time.process_time()
    bar = tqdm(total=steps * dt, unit="s", disable=not progress, unit_scale=True)
    with StopRequest() as stop, bar:
        while simulation.steps_done < goal and not stop.requested:
            before = simulation.steps_done
            spikes += turn(goal)
            bar.update((simulation.steps_done - before) * dt)
    finished = time.perf_counter()
    if simulation.steps_done < goal:
        raise SimulationInterrupted(
            f"stopped at {simulation.steps_done * dt:g} s; what was recorded is kept, and run() goes on from there"
        )
    return {
        "biological_seconds": steps * dt,
        "steps": steps,
        "spikes": spikes,
        "build_seconds": simulation.build_seconds,
        "compile_seconds": compile_seconds,
        "run_seconds": finished - begun,
        "run_cpu_seconds": time.process_time() - cpu,
    }


def steps_a_turn(before: int, taken: int, seconds: float, least: int = 1, wanted: float = TURN) -> int:
    """How many steps the next turn is to have: what the last one's speed promises, but no more than twice as many.

    Args:
        before: how many the last turn was to have.
        taken: how many it had.
        seconds: of wall time that they took.
        least: fewest.
        wanted: seconds that the next turn is to take.
    """
    return int(min(MOST_STEPS, max(least, min(2 * before, wanted * taken / max(seconds, 1e-9)))))


def check_finite(simulation: Simulation, values: Callable[[str, str], Any]) -> None:
    """Numbers that ran away are an error, not a silent network.

    Args:
        simulation: of which to tell the time.
        values: a population's name and a state's -> the state of every neuron, [size].

    Raises:
        FloatingPointError: names the first neuron that is not a number any more.
    """
    for name, population in simulation.network.populations.items():
        for state in population.neuron.state_names if population.neuron is not None else ():
            found = np.asarray(values(name, state))
            wrong = np.flatnonzero(~np.isfinite(found))
            if wrong.size:
                now = simulation.steps_done * simulation.network.dt
                raise FloatingPointError(
                    f"{name}: {state} of neuron {wrong[0]} is {found[wrong[0]]} at {now:g} s ({wrong.size} of "
                    f"{population.size} neurons); a shorter dt or another method helps where equations are stiff"
                )
