"""The unit of time of tables: named by the caller, by the file, or guessed, and told where the guess is odd."""

import warnings

import numpy as np
import pytest

from spikelab.events.files import EventFileError, open_events, read_events

TIMES = np.sort(np.random.default_rng(0).integers(400_000, 2_400_000, 5000))  # microseconds


def columns(t):
    rng = np.random.default_rng(1)
    x, y, p = (rng.integers(0, side, len(t)) for side in (240, 180, 2))
    return {"x": x, "y": y, "t": t, "p": p}


def table(t):
    """x, y, t and p side by side: fractions of microseconds make all of them fractions."""
    return np.stack(list(columns(t).values()), axis=1)


def text(path, t, form):
    rows = columns(t)
    path.write_text(
        "".join(f"{t:{form}} {x} {y} {p}\n" for t, x, y, p in zip(*(rows[name] for name in "txyp"), strict=True))
    )
    return path


def saved(tmp_path, kind, t):
    """The times in a file of a kind, without any name of their unit."""
    path = tmp_path / f"recording.{kind}"
    if kind == "txt":
        return text(path, t, "d" if t.dtype.kind == "i" else ".3f")
    if kind == "npy":
        np.save(path, table(t))
    elif kind == "npz":
        np.savez(path, **columns(t))
    else:
        scipy_io = pytest.importorskip("scipy.io")
        scipy_io.savemat(path, {"TD": {**columns(t), "x": columns(t)["x"] + 1, "y": columns(t)["y"] + 1}})
    return path


KINDS = ("txt", "npy", "npz", "mat")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("unit", "scale"), [("s", 1e6), ("ms", 1e3), ("us", 1), ("ns", 1e-3)])
def test_a_unit_that_is_given_counts(tmp_path, kind, unit, scale):
    path = saved(
        tmp_path, kind, np.rint(TIMES / 1e6).astype(np.int64) if unit == "s" else np.rint(TIMES / scale) + 0.25
    )
    wanted = np.rint(np.rint(TIMES / 1e6) * 1e6 if unit == "s" else (np.rint(TIMES / scale) + 0.25) * scale)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_events(path, unit=unit) as file:
            assert file.guess is None
            found = file.read().t
    # text has three digits behind the point
    np.testing.assert_allclose(found, wanted, atol=1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_guess_that_makes_no_sense_is_told(tmp_path, kind):
    with pytest.warns(UserWarning, match=r"times with fractions were taken for seconds. But 5000 events last .* unit="):
        read_events(saved(tmp_path, kind, TIMES + 0.25))
    with pytest.warns(UserWarning, match=r"last 2000 s then, 2.5 a second"):  # milliseconds
        events = read_events(saved(tmp_path, kind, TIMES / 1e3))
    assert events.duration > 1e9
    # whole seconds, taken for microseconds: 5000 events within two of them
    with pytest.warns(UserWarning, match=r"whole times were taken for microseconds. But .* 2.5e\+09 a second"):
        read_events(saved(tmp_path, kind, TIMES // 1_000_000), **({"format": "text"} if kind == "txt" else {}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_guess_that_may_be_right_is_not_warned_of(tmp_path, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_events(saved(tmp_path, kind, TIMES)) as file:
            np.testing.assert_array_equal(file.read().t, TIMES)
            assert file.guess == "whole times were taken for microseconds"


def test_a_recording_longer_than_a_day_is_told(tmp_path):
    t = np.sort(np.random.default_rng(0).integers(0, 100_000 * 10**6, 2_000_000))  # 28 hours, 20 events a second
    with pytest.warns(UserWarning, match=r"2000000 events last 1e\+05 s then"):
        read_events(saved(tmp_path, "npz", t))


def test_units_of_formats_and_of_names_stay(encoder, tmp_path):
    events = encoder.events(50)
    encoder.write(tmp_path / "recording", events)
    own = {"npy", "npz", "text", "matlab"}
    if encoder.name not in own:
        with pytest.raises(EventFileError, match=r"has times in the unit of its format, .*; leave out unit=us"):
            open_events(tmp_path / "recording", unit="us")
    with pytest.raises(ValueError, match="unit is 'h', must be one of s, ms, us, ns"):
        open_events(tmp_path / "recording", unit="h")


def test_a_name_that_says_another_unit_is_not_overruled(tmp_path):
    (tmp_path / "a.txt").write_text("# t_us x y p\n1 2 3 0\n5 2 3 1\n")
    np.savez(tmp_path / "a.npz", t_us=[1, 5], x=[2, 2], y=[3, 3], p=[0, 1])
    fields = np.zeros(2, [("t_ms", "i8"), ("x", "i4"), ("y", "i4"), ("p", "i4")])
    np.save(tmp_path / "a.npy", fields)
    for name, unit in (("a.txt", "us"), ("a.npz", "us"), ("a.npy", "ms")):
        assert len(read_events(tmp_path / name, unit=unit)) == 2
        with pytest.raises(EventFileError, match=rf"in {unit}.*; leave out unit=s"):
            open_events(tmp_path / name, unit="s")


def test_a_unit_settles_what_was_left_open(tmp_path):
    (tmp_path / "a.txt").write_text("1.0 2 3 0\n1.0 5 6 1\n")
    with pytest.raises(EventFileError, match=r"written with a point: give the unit \(unit=s, ms, us or ns\)"):
        read_events(tmp_path / "a.txt")
    assert read_events(tmp_path / "a.txt", unit="s").t.tolist() == [1_000_000, 1_000_000]
