"""The queue of deliveries and the sorting of events, against Python's own."""

import heapq

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spikelab.sim.event_driven import delivery_queue as queue
from spikelab.sim.event_driven.due import BLOCK, earliest, soonest_of
from spikelab.sim.event_driven.ordering import sort_events

# few different times, so that ties are common
EVENTS = st.lists(st.integers(0, 6), max_size=200)


@given(EVENTS)
def test_events_at_one_time_are_sorted_by_their_number(times):
    random = np.random.default_rng(len(times))
    when, orders = np.array(times, float).reshape(-1, 1), random.permutation(len(times)).reshape(-1, 1)
    index, spare = np.arange(len(times)), np.zeros(len(times), int)
    sort_events(index, spare, len(times), when, orders)
    np.testing.assert_array_equal(index, np.lexsort((orders[:, 0], when[:, 0])))


@given(EVENTS, st.integers(0, 2**31))
def test_the_queue_gives_the_earliest_first(times, seed):
    """Entries come, go, and move on to later times, as spikes along a row of synapses do."""
    random = np.random.default_rng(seed)
    when, entries = queue.empty_queue(1)
    held: list = []
    for order, time in enumerate(times):
        if len(held) == len(when):
            when, entries = queue.enlarged(when, entries)
        when[len(held)] = time, -time
        entries[len(held)] = order, 10 * order, 10 * order + 5, order % 3
        queue.rise(when, entries, len(held))
        heapq.heappush(held, (float(time), order))
        if random.random() < 0.3:
            assert (when[0, queue.ARRIVES], entries[0, queue.ORDER]) == held[0]
            assert entries[0, queue.SYNAPSE] == 10 * held[0][1]
            queue.remove_first(when, entries, len(held))
            heapq.heappop(held)
        elif random.random() < 0.5:
            first = heapq.heappop(held)
            later = first[0] + int(random.integers(0, 5))
            when[0, queue.ARRIVES] = later
            queue.sink(when, entries, len(held) + 1)
            heapq.heappush(held, (later, first[1]))
    while held:
        assert (when[0, queue.ARRIVES], entries[0, queue.ORDER]) == held[0]
        queue.remove_first(when, entries, len(held))
        heapq.heappop(held)


def test_the_soonest_of_each_block():
    times = np.random.default_rng(1).random(3 * BLOCK + 5)
    found = soonest_of(times)
    assert found.tolist() == [times[k * BLOCK : (k + 1) * BLOCK].min() for k in range(4)]
    assert earliest(found) == times.min()
    assert earliest(soonest_of(np.zeros(0))) == np.inf
