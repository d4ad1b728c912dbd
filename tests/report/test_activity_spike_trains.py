import subprocess
import sys

import h5py
import numpy as np
import pytest
from activity_samples import poisson_trains

from spikelab import sim
from spikelab.report.activity import SpikeTrains, read_recording, recorded_groups
from spikelab.sim.monitors import SpikeMonitor
from spikelab.sim.population import Group, Population

NONE = np.empty(0)


def trains(times=(0.1, 0.2), neurons=(0, 1), size=2, start=0.0, stop=1.0):
    return SpikeTrains(np.array(times), np.array(neurons), size, start, stop)


def test_unsorted_spikes_are_put_in_order():
    found = trains([0.5, 0.1, 0.3, 0.1], [0, 1, 2, 0], size=3)
    assert found.times.tolist() == [0.1, 0.1, 0.3, 0.5]
    assert found.neurons.tolist() == [0, 1, 2, 0]
    assert [each.tolist() for each in found.trains()] == [[0.1, 0.5], [0.1], [0.3]]
    assert found.counts.tolist() == [2, 1, 1]


def test_arrays_cannot_be_changed_and_the_callers_stay_writable():
    times = np.array([0.1, 0.2])
    found = SpikeTrains(times, np.array([0, 1]), 2, 0.0, 1.0)
    with pytest.raises(ValueError, match="read-only"):
        found.times[0] = 5.0
    times[0] = 0.15
    assert times[0] == 0.15


def test_silent_neurons_count():
    found = SpikeTrains(NONE, NONE.astype(int), 4, 0.0, 1.0)
    assert len(found) == 0
    assert found.counts.tolist() == [0, 0, 0, 0]
    assert [each.size for each in found.trains()] == [0, 0, 0, 0]
    assert SpikeTrains(NONE, NONE, 0, 0.0, 1.0).trains() == []


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"times": [0.1, np.nan]}, ValueError, r"times\[1\] = nan is no time"),
        ({"times": [np.inf, 0.2]}, ValueError, r"times\[0\] = inf is no time"),
        ({"times": [0.1, 1.5]}, ValueError, r"times\[1\] = 1.5 s .* outside of start = 0 s to stop = 1 s"),
        ({"times": [-0.1, 0.5]}, ValueError, r"times\[0\] = -0.1 s"),
        ({"times": [0.1]}, ValueError, "1 times but 2 neurons"),
        ({"times": [[0.1, 0.2]]}, ValueError, "one-dimensional"),
        ({"times": ["0.1", "0.2"]}, TypeError, "give seconds as numbers"),
        ({"neurons": [0.0, 1.0]}, TypeError, "give whole numbers"),
        ({"neurons": [0, 2]}, ValueError, "neuron 2 does not exist; size = 2"),
        ({"neurons": [-1, 0]}, ValueError, "neuron -1 does not exist"),
        ({"size": 2.0}, TypeError, "whole number of neurons"),
        ({"size": -1}, ValueError, "must not be negative"),
        ({"stop": 0.0}, ValueError, "stop = 0 s must be later than start = 0 s"),
        ({"stop": np.nan}, ValueError, "stop = nan"),
    ],
)
def test_bad_input_is_named(change, error, message):
    with pytest.raises(error, match=message):
        trains(**change)


def test_a_rounding_at_the_end_is_no_error():
    steps = next(k for k in range(1, 100) if k * 1e-4 > k / 10_000)
    found = SpikeTrains(np.array([steps * 1e-4]), np.array([0]), 1, 0.0, steps / 10_000)
    assert found.times[0] == found.stop


def test_between_divides_a_recording_without_losing_or_doubling_spikes():
    found = trains([0.0, 0.25, 0.5, 0.75, 1.0], [0] * 5, size=1)
    parts = [found.between(0.0, 0.5), found.between(0.5, 1.0)]
    assert [each.times.tolist() for each in parts] == [[0.0, 0.25, 0.5], [0.75, 1.0]]
    with pytest.raises(ValueError, match="was not watched"):
        found.between(0.5, 1.1)


def test_select_numbers_anew():
    found = trains([0.1, 0.2, 0.3], [0, 1, 2], size=4)
    assert found.select(slice(1, 4)).neurons.tolist() == [0, 1]
    assert found.select([2, 0]).neurons.tolist() == [1, 0]
    assert found.select([]).size == 0
    with pytest.raises(ValueError, match="selected twice"):
        found.select([1, 1])
    with pytest.raises(ValueError, match="neuron 4 does not exist"):
        found.select([4])


def monitor_of(size, spikes, dt=1e-4, file=None):
    population = Population("cells", size)
    monitor = SpikeMonitor(Group(population, 0, size), dt, file)
    steps, neurons = map(np.array, zip(*spikes, strict=True))
    monitor.append(steps, neurons.astype(np.int32))
    return monitor


def test_a_monitors_spikes_after_the_warm_up():
    found = SpikeTrains.from_monitor(monitor_of(3, [(9, 0), (99, 2), (100, 1)]), stop=0.02, start=0.01)
    assert (found.size, found.start, found.stop) == (3, 0.01, 0.02)
    np.testing.assert_allclose(found.times, [0.0101])  # the spike at 0.01 s ends what came before
    assert found.neurons.tolist() == [1]


def test_recording_file_says_what_the_monitor_had(tmp_path):
    path = tmp_path / "spikes.h5"
    monitor = monitor_of(3, [(0, 0), (9, 2), (19, 1)], file=str(path))
    assert recorded_groups(path) == ["cells"]
    found = read_recording(path, stop=0.002)  # while the monitor still holds it open for writing
    assert found.size == 3
    np.testing.assert_array_equal(found.times, monitor.times)
    np.testing.assert_array_equal(found.neurons, monitor.neurons)
    assert len(read_recording(path, "cells", stop=0.0015, start=0.0005)) == 1
    with pytest.raises(ValueError, match=r"no spikes of 'other'; there are cells"):
        read_recording(path, "other", stop=1.0)


def test_exact_times_of_a_recording_are_kept(tmp_path):
    with h5py.File(tmp_path / "exact.h5", "w") as file:
        group = file.create_group("spikes/cells")
        group["step"], group["neuron"], group["time"] = np.array([0, 3]), np.array([1, 0]), np.array([0.00005, 0.00035])
    found = read_recording(tmp_path / "exact.h5", stop=1.0, size=2, dt=1e-4)
    assert found.times.tolist() == [0.00005, 0.00035]


def test_recordings_that_say_too_little_or_nothing(tmp_path):
    path = tmp_path / "old.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("spikes/cells")
        group["step"], group["neuron"] = np.array([0, 3, 5]), np.array([1, 0])  # the last row is being written
        file.create_group("spikes/others")
    with pytest.raises(ValueError, match=r"2 groups; say which: cells, others"):
        read_recording(path, stop=1.0)
    with pytest.raises(ValueError, match="does not say its size; give size="):
        read_recording(path, "cells", stop=1.0, dt=1e-4)
    with pytest.raises(ValueError, match="does not say its dt"):
        read_recording(path, "cells", stop=1.0, size=2)
    assert read_recording(path, "cells", stop=1.0, size=2, dt=1e-4).neurons.tolist() == [1, 0]
    with pytest.raises(ValueError, match="no column 'step'"):
        read_recording(path, "others", stop=1.0, size=2, dt=1e-4)
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(ValueError, match="has no spikes"):
        read_recording(tmp_path / "empty.h5", stop=1.0)
    with pytest.raises(OSError, match="missing"):
        read_recording(tmp_path / "missing.h5", stop=1.0)


def test_neo_gets_the_same_spikes():
    pytest.importorskip("neo")
    found = poisson_trains(neurons=5)
    given = found.to_neo()
    assert len(given) == 5
    for train, times in zip(given, found.trains(), strict=True):
        np.testing.assert_array_equal(train.rescale("s").magnitude, times)
        assert float(train.t_stop.rescale("s")) == found.stop


def test_a_recording_of_another_process_can_be_read_from_its_first_run_on(tmp_path):
    path = tmp_path / "spikes.h5"
    network = sim.Network(dt=1e-3)
    network.record_spikes(network.source("source", 5, sim.PoissonSource(rate=500.0)), file=str(path))
    code = f"from spikelab.report.activity import read_recording; print(len(read_recording({str(path)!r}, stop=1.0)))"

    def read():
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    early = read()
    assert early.returncode != 0
    assert "can be read from its network's first run() on" in early.stderr
    figures = network.run(0.02)
    later = read()
    assert int(later.stdout) == figures["spikes"] > 0, later.stderr
    network.close()
