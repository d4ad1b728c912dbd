"""Event arrays: what is accepted, what is refused and how clearly, and the operations on them."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikelab.events import EventArray

WIDTH, HEIGHT = 7, 5


def some_events(n=6, t_start=0):
    i = np.arange(n)
    return EventArray(i % WIDTH, i % HEIGHT, t_start + 10 * i, i % 2, WIDTH, HEIGHT)


@st.composite
def event_arrays(draw, max_size=40):
    t = sorted(draw(st.lists(st.integers(-50, 200), max_size=max_size)))
    n = len(t)
    columns = [draw(st.lists(st.integers(0, high), min_size=n, max_size=n)) for high in (WIDTH - 1, HEIGHT - 1, 1)]
    return EventArray(columns[0], columns[1], t, columns[2], WIDTH, HEIGHT)


def test_columns_have_their_types_and_cannot_be_changed():
    events = some_events()
    assert [getattr(events, c).dtype for c in "xytp"] == [np.uint16, np.uint16, np.int64, np.uint8]
    for name in "xytp":
        with pytest.raises(ValueError, match="read-only"):
            getattr(events, name)[0] = 1
    with pytest.raises(AttributeError):
        events.width = 3


def test_columns_of_the_right_type_are_not_copied_and_stay_the_users():
    t = np.array([1, 2, 3], np.int64)
    events = EventArray([0, 1, 2], [0, 0, 0], t, [0, 1, 0], 3, 1)
    assert np.shares_memory(events.t, t)
    assert t.flags.writeable


def test_strided_columns_become_contiguous():
    t = np.arange(20, dtype=np.int64)[::2]
    events = EventArray(np.zeros(10, int), np.zeros(10, int), t, np.zeros(10, bool), 1, 1)
    assert events.t.flags.c_contiguous
    np.testing.assert_array_equal(events.t, t)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"x": [0, 7, 1]}, ValueError, r"x\[1\] = 7 is outside 0\.\.6; drop"),
        ({"y": [0, 1, 5]}, ValueError, r"y\[2\] = 5 is outside 0\.\.4"),
        ({"x": [0, -1, 1]}, ValueError, r"x\[1\] = -1 is outside"),
        ({"x": np.array([0, 2**16, 1])}, ValueError, r"x\[1\] = 65536"),
        ({"t": [5, 3, 4]}, ValueError, r"t\[1\] = 3 us comes before t\[0\] = 5 us.*from_unsorted"),
        ({"t": [0.0, 1e-3, 2e-3]}, TypeError, r"t is float64.*np\.rint\(t \* 1e6\)"),
        ({"t": [0.0, float("nan"), 2.0]}, TypeError, r"t\[1\] = nan"),
        ({"t": np.array([0, 1, 2**63], np.uint64)}, ValueError, r"t\[2\] = 9223372036854775808 is outside"),
        ({"p": [1, -1, 1]}, ValueError, r"p\[1\] = -1.*p > 0"),
        ({"p": [0, 1, 2]}, ValueError, r"p\[2\] = 2 is outside 0\.\.1"),
        ({"p": [0.0, 1.0, 1.0]}, TypeError, r"p is float64.*p > 0"),
        ({"x": [0.5, 1.0, 2.0]}, TypeError, r"x is float64.*np\.rint"),
        ({"x": [0, 1]}, ValueError, r"one length.*'x': 2"),
        ({"x": [[0, 1, 2]]}, ValueError, r"x must be one-dimensional.*\(1, 3\)"),
        ({"x": ["a", "b", "c"]}, TypeError, r"x is <U1"),
        ({"width": 0}, ValueError, r"width = 0 must lie in 1\.\.65536"),
        ({"height": 2.5}, TypeError, r"height = 2\.5 must be a whole number"),
    ],
)
def test_bad_input_is_named(changes, error, message):
    fields = {"x": [0, 1, 2], "y": [0, 1, 2], "t": [0, 1, 2], "p": [0, 1, 0], "width": WIDTH, "height": HEIGHT}
    with pytest.raises(error, match=message):
        EventArray(**{**fields, **changes})


def test_sorting_is_offered_and_keeps_the_order_of_equal_times():
    events = EventArray.from_unsorted([0, 1, 2, 3], [0, 0, 0, 0], [5, 3, 5, 1], [0, 1, 1, 0], WIDTH, HEIGHT)
    np.testing.assert_array_equal(events.t, [1, 3, 5, 5])
    np.testing.assert_array_equal(events.x, [3, 1, 0, 2])
    with pytest.raises(ValueError, match="outside"):
        EventArray.from_unsorted([9], [0], [1], [0], WIDTH, HEIGHT)
    with pytest.raises(ValueError, match="one length"):
        EventArray.from_unsorted([1, 2], [0], [1], [0], WIDTH, HEIGHT)


@given(event_arrays(), st.integers(-60, 210), st.integers(0, 100))
def test_between_is_half_open(events, start, length):
    part = events.between(start, start + length)
    inside = (events.t >= start) & (events.t < start + length)
    assert part == events[inside]
    assert len(part) == 0 or np.shares_memory(part.t, events.t)


def test_between_refuses_seconds_and_a_window_that_runs_backwards():
    with pytest.raises(TypeError, match=r"t_start = 0\.5: times are integer microseconds; from seconds"):
        some_events().between(0.5, 1)
    with pytest.raises(ValueError, match="before t_start"):
        some_events().between(10, 5)
    with pytest.raises(ValueError, match="range of int64"):
        some_events().between(0, 2**63)


@given(event_arrays(), st.integers(-60, 210))
def test_parts_join_to_the_whole(events, cut):
    parts = [events.between(-(2**63), cut), events.between(cut, 2**63 - 1)]
    assert EventArray.concatenate(parts) == events
    assert EventArray.merge(parts[::-1]) == events or cut in events.t


def test_concatenate_refuses_overlap_other_sizes_and_nothing():
    with pytest.raises(ValueError, match=r"array 1 starts at 20 us.*\(50 us\).*merge"):
        EventArray.concatenate([some_events(), some_events(t_start=20)])
    with pytest.raises(ValueError, match="frame of 1x1"):
        EventArray.concatenate([some_events(), EventArray.empty(1, 1)])
    with pytest.raises(ValueError, match="nothing to join"):
        EventArray.concatenate([])
    empty = EventArray.empty(WIDTH, HEIGHT)
    assert EventArray.concatenate([empty, some_events(), empty]) == some_events()


def test_merge_sorts_by_time():
    merged = EventArray.merge([some_events(), some_events(t_start=5)])
    assert len(merged) == 12
    assert (np.diff(merged.t) == 5).all()


def test_empty_and_one_event():
    empty = EventArray.empty(WIDTH, HEIGHT)
    assert len(empty) == 0
    assert empty.duration == 0
    assert len(empty.between(0, 10)) == 0
    assert "0 events" in repr(empty)
    one = some_events(1)
    assert one.duration == 0
    assert repr(one) == "EventArray(1 events, 7x5, t=0..0 us)"
    assert some_events(3).duration == 20


def test_selection_keeps_time_order():
    events = some_events()
    assert len(events[events.p == 1]) == 3
    assert events[1:4] == events.between(10, 40)
    with pytest.raises(ValueError, match="backwards"):
        events[::-1]
    with pytest.raises(TypeError, match="slice or a boolean mask"):
        events[2]
    with pytest.raises(TypeError, match="slice or a boolean mask"):
        events[np.array([2, 0])]


def test_crop_and_shift():
    events = some_events(6)
    cropped = events.crop(2, 1, 3, 4)
    assert (cropped.width, cropped.height) == (3, 4)
    np.testing.assert_array_equal(cropped.x, [0, 1, 2])
    np.testing.assert_array_equal(cropped.y, [1, 2, 3])
    with pytest.raises(ValueError, match="does not lie inside the frame of 7x5"):
        events.crop(5, 0, 3, 5)
    np.testing.assert_array_equal(events.shift(-20).t, events.t - 20)
    with pytest.raises(ValueError, match="range of int64"):
        events.shift(2**63 - 10)


def test_equality_is_by_value_and_arrays_are_not_hashable():
    assert some_events() == some_events()
    assert some_events() != some_events(5)
    assert some_events() != EventArray([], [], [], [], WIDTH, HEIGHT)
    assert some_events() != "events"
    with pytest.raises(TypeError, match="unhashable"):
        hash(some_events())


def test_structured_round_trip_and_missing_field():
    events = some_events()
    assert EventArray.from_structured(events.to_structured(), WIDTH, HEIGHT) == events
    with pytest.raises(ValueError, match=r"missing: \['p'\]"):
        EventArray.from_structured(np.zeros(2, [("x", int), ("y", int), ("t", int)]), WIDTH, HEIGHT)


def test_arrays_that_went_to_another_process_are_still_read_only():
    events = pickle.loads(pickle.dumps(some_events()))
    assert events == some_events()
    assert not events.t.flags.writeable
