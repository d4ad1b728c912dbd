"""A clock that was set back: whatever comes after it, time never goes back in what is handed out."""

import numpy as np
import pytest

from spikelab.events.files import open_events, read_events
from spikelab.events.files import source as source_module


def recording(tmp_path, times):
    text = "# t_us x y p\n" + "".join(f"{t} {i} 0 1\n" for i, t in enumerate(times))
    (tmp_path / "a.txt").write_text(text)
    return tmp_path / "a.txt"


@pytest.mark.filterwarnings("ignore:.*late and were put in their place")
@pytest.mark.parametrize("block", [1, 2, 3, 1000])
def test_late_events_after_a_reset_do_not_go_before_it(tmp_path, monkeypatch, block):
    monkeypatch.setattr(source_module, "BLOCK", block)
    path = recording(tmp_path, [50_000, 50_100, 900, 700, 1_000, 950, 60])
    with (
        open_events(path, resets="continue") as file,
        pytest.warns(UserWarning, match="the clock was set back 3 times"),
    ):
        events = file.read()
    # the clock was set back at 900; what was finished before it leaves no place for 700 and 60, only for 950
    assert events.t.tolist() == [50_000, 50_100, 50_100, 50_100, 50_350, 50_400, 50_400]
    assert events.x.tolist() == [0, 1, 2, 3, 5, 4, 6]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(10))
def test_any_times_come_out_in_order(tmp_path, seed):
    times = np.random.default_rng(seed).integers(0, 60_000, 300)
    events = read_events(recording(tmp_path, times), resets="continue")
    assert sorted(events.x.tolist()) == list(range(300))
    assert (np.diff(events.t) >= 0).all()
