import re
import subprocess
import sys

import numpy as np
import psutil
import pytest

from spikelab.sim.random_numbers import stream_key
from spikelab.sim.wiring import (
    AllToAll,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    FixedTotalNumber,
    limits,
)

KEY = stream_key(41, 1)
RULES = [AllToAll(), FixedInDegree(50_000), FixedOutDegree(50_000), FixedProbability(0.9), FixedTotalNumber(2**31)]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_more_synapses_than_a_projection_can_have_are_refused_at_once(rule):
    with pytest.raises(ValueError, match=re.escape(str(rule)) + ".* more than the 2147483647") as error:
        rule.connect(50_000, 50_000, KEY)
    assert "50000 to 50000 neurons" in str(error.value)


@pytest.mark.parametrize(
    "rule", [*RULES[:1], FixedInDegree(20_000), FixedOutDegree(20_000), FixedProbability(0.9)], ids=str
)
def test_more_memory_than_is_free_is_refused_before_it_is_taken(rule, monkeypatch):
    monkeypatch.setattr(limits, "free_memory", lambda: 5 * 10**8)
    with pytest.raises(MemoryError, match=r"synapses, which take 0\.[78]\d* GB, and 0.5 GB of memory are free"):
        rule.connect(20_000, 20_000, KEY)


def test_where_the_system_does_not_say_what_is_free_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(limits, "free_memory", lambda: None)
    limits.check_size("rule", 10, 10, 2e9)


def test_free_memory_is_what_the_system_says():
    free = limits.free_memory()
    assert free is not None
    # a container may allow less
    assert 0 < free < 1.2 * psutil.virtual_memory().available


def test_limit_of_a_container_is_respected(monkeypatch):
    monkeypatch.setattr(limits, "_left_in_container", lambda: 1000)
    assert limits.free_memory() == 1000


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (FixedInDegree(11, allow_multapses=False), "11 different senders of each neuron, but there are only 10; lower"),
        (FixedInDegree(10, False, False), "10 different senders of each neuron, but there are only 9 besides itself"),
        (
            FixedOutDegree(11, allow_multapses=False),
            "11 different targets of each neuron, but there are only 10; lower",
        ),
        (FixedOutDegree(10, False, False), "10 different targets of each neuron, but there are only 9 besides itself"),
        (
            FixedTotalNumber(101, allow_multapses=False),
            "there are only 100 pairs; lower count or set allow_multapses=True",
        ),
        (FixedTotalNumber(91, False, False), "there are only 90 pairs"),
    ],
)
def test_more_partners_than_there_are_are_refused(rule, message):
    with pytest.raises(ValueError, match=re.escape(str(rule)) + ".*" + message):
        rule.connect(10, 10, KEY, same=True)


@pytest.mark.parametrize(
    ("rule", "sizes"),
    [
        (FixedInDegree(1), (0, 5)),
        (FixedOutDegree(1), (5, 0)),
        (FixedTotalNumber(1), (0, 5)),
        (FixedTotalNumber(1), (5, 0)),
        (FixedInDegree(1, False), (1, 1)),
        (FixedOutDegree(1, False), (1, 1)),
        (FixedTotalNumber(1, False), (1, 1)),
    ],
)
def test_synapses_without_a_partner_are_refused(rule, sizes):
    with pytest.raises(ValueError, match=r"there is no (sender|target|pair)"):
        rule.connect(*sizes, KEY, same=sizes == (1, 1))


@pytest.mark.parametrize("value", [-1, 1.5, "3", True, None, np.nan])
def test_counts_that_are_none_are_refused(value):
    for rule, field in ((FixedInDegree, "degree"), (FixedOutDegree, "degree"), (FixedTotalNumber, "count")):
        with pytest.raises(ValueError, match=f"{rule.__name__}: {field} = .* must be a whole number, 0 or more"):
            rule(value)


@pytest.mark.parametrize("value", [-0.1, 1.0001, "0.5", True, None, np.nan])
def test_probabilities_that_are_none_are_refused(value):
    with pytest.raises(ValueError, match=r"FixedProbability: p = .* must be a probability"):
        FixedProbability(value)


def test_more_than_65536_targets_are_32_bit_numbers():
    for rule in (FixedInDegree(2), FixedOutDegree(2), FixedProbability(0.2), FixedTotalNumber(50), AllToAll()):
        for size, dtype in ((65536, np.uint16), (65537, np.uint32)):
            made = rule.connect(3, size, KEY)
            assert made.targets.dtype == dtype
            assert (np.diff(made.targets.astype(int))[np.diff(made.senders()) == 0] >= 0).all()
            if rule == AllToAll():
                assert made.row(2)[-1] == size - 1


_PEAK = """
import threading, time
import psutil
from spikelab.sim.wiring import FixedInDegree
FixedInDegree(2).connect(10, 10)
process, peak, done = psutil.Process(), [0], threading.Event()
def watch():
    while not done.is_set():
        peak[0] = max(peak[0], process.memory_info().rss)
        time.sleep(0.0005)
before = process.memory_info().rss
thread = threading.Thread(target=watch)
thread.start()
made = FixedInDegree(2000).connect(20_000, 20_000, 5, threads=2)
done.set()
thread.join()
print((peak[0] - before - made.starts.nbytes) / made.targets.nbytes)
"""


def test_memory_while_building_stays_near_that_of_the_result():
    run = subprocess.run([sys.executable, "-c", _PEAK], check=True, capture_output=True, text=True)
    assert 0.9 < float(run.stdout) < 1.3
