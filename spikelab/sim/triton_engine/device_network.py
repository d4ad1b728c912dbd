"""A network as arrays on a device, and the list of launches that brings it through one block of steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from spikelab.sim.random_numbers import stream_key
from spikelab.sim.streams import STREAM_OF_SOURCES
from spikelab.sim.triton_engine.clock import Clock
from spikelab.sim.triton_engine.delivery import ProjectionState
from spikelab.sim.triton_engine.device import Device
from spikelab.sim.triton_engine.fixed_point import exponent, largest_arrival
from spikelab.sim.triton_engine.launch import Launch
from spikelab.sim.triton_engine.population_state import PopulationState
from spikelab.sim.triton_engine.sources import SourceState
from spikelab.sim.triton_engine.spike_list import SpikeList
from spikelab.sim.triton_engine.state_recorder import StateRecorder
from spikelab.sim.triton_engine.support import check

if TYPE_CHECKING:
    from spikelab.sim.network import Network

#: Most steps of a block, where delays would allow more.
_LONGEST_BLOCK = 256
#: Spikes that a list has room for at least, so that small networks seldom need the host.
_FEWEST_SPIKES = 1 << 16


class DeviceNetwork:
    """A network on a device. It is made for any device, also one that is not there, so that kernels can be compiled.

    Attributes:
        network: what it was built from.
        block: steps of a block: the shortest delay.
        populations: name -> state, of those with equations.
        sources: name -> state, of those without.
        projections: by number.
        clock: the clock.
        lists: population -> its spikes.
        launches: of a block, in order.
    """

    def __init__(self, network: Network, device: Device):
        check(network)
        self.network, self._device = network, device
        dtype = np.dtype(network.dtype)
        synapses = {each.number: network.synapses(each) for each in network.projections}
        delays = {number: np.atleast_1d(each.delays) for number, each in synapses.items() if each.count}
        self.block = min([_LONGEST_BLOCK, *(int(each.min()) for each in delays.values())])
        self.sources: dict[str, SourceState] = {}
        for place, (name, population) in enumerate(network.populations.items()):
            if population.source is not None:
                key = int(stream_key(network.seed, STREAM_OF_SOURCES + place))
                self.sources[name] = SourceState(device, population, network.dt, key)
        self.populations: dict[str, PopulationState] = {}
        for name, population in network.populations.items():
            if population.source is not None:
                continue
            arriving = [each for each in network.projections if each.target.population is population]
            largest: dict[str, float] = {}
            for each in arriving:
                source = self.sources.get(each.source.population.name)
                most = largest_arrival(synapses[each.number], source.most_at_once if source else 1)
                largest[each.receptor] = largest.get(each.receptor, 0.0) + most
            exponents = {receptor: exponent(most, network.dtype) for receptor, most in largest.items()}
            slots = max([1, *(int(delays[each.number].max()) for each in arriving if each.number in delays)])
            inputs = [each for each in network.inputs if each.target.population is population]
            self.populations[name] = PopulationState(device, population, network.dt, dtype, exponents, slots, inputs)
        self.projections = {
            each.number: ProjectionState(
                device, each, synapses[each.number], self.populations[each.target.population.name]
            )
            for each in network.projections
        }
        most_in_block = [self._neurons(name).most_in(self.block) for name in network.populations]
        room = [max(_FEWEST_SPIKES, 2 * most) for most in most_in_block]
        self.clock = Clock(device, self.block, most_in_block, room)
        self.lists = {
            name: SpikeList(device, self.clock.cursors[place], room[place])
            for place, name in enumerate(network.populations)
        }
        self.launches: list[Launch] = []
        self.plan([])

    def plan(self, recorders: Iterable[StateRecorder]) -> None:
        """Makes the list of launches anew, for the recorders that there are now."""
        by_population: dict[str, list[StateRecorder]] = {}
        for each in recorders:
            by_population.setdefault(each.monitor.group.population.name, []).append(each)
        clock, launches = self.clock.steps, [self.clock.opening]
        for name, spikes in self.lists.items():
            if name in self.sources:
                launches += self.sources[name].launches(clock, spikes)
            else:
                launches += self.populations[name].launches(clock, spikes, by_population.get(name, []))
        for projection in self.projections.values():
            if projection.synapses.count:
                senders = self.lists[projection.projection.source.population.name]
                launches.append(projection.launch(clock, senders.arguments()))
        self.launches = launches

    def _neurons(self, name: str) -> PopulationState | SourceState:
        return self.sources[name] if name in self.sources else self.populations[name]
