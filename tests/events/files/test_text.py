"""Text files: columns in any usual order and unit, exact times, and lines that are wrong."""

import gzip
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikelab.events.files import EventFileError, open_events, read_events, recognise

WANTED = [[96, 127, 4], [133, 171, 160], [3811, 3820, 3836], [0, 1, 0]]


def written(tmp_path, text):
    (tmp_path / "a").write_bytes(text.encode())
    return tmp_path / "a"


def columns(events):
    return [column.tolist() for column in (events.x, events.y, events.t, events.p)]


@pytest.mark.parametrize(
    "text",
    [
        "0.003811000 96 133 0\n0.003820001 127 171 1\n0.003836000 4 160 0\n",
        "0.003811 96 133 -1\r\n0.003820 127 171 1\r\n0.003836 4 160 -1\r\n",
        "3811 96 133 0\n3820 127 171 1\n3836 4 160 0",
        "96,133,3811,0\n127,171,3820,1\n4,160,3836,0\n",
        "x,y,polarity,timestamp\n96,133,0,3811\n127,171,1,3820\n4,160,0,3836\n",
        "x, y, p, t [ns]\n96,133,0,3811000\n127,171,1,3820400\n4,160,0,3835500\n",
        "# t_ms\tx\ty\tp\n3.811\t96\t133\t0\n3.820\t127\t171\t1\n3.836\t4\t160\t0\n",
        "\n# made by hand\n% t x y p\n3811;96;133;0\n// between\n3820;127;171;1\n\n3836;4;160;0\n",
        "# t [us] x y p\n 3811 +96 133 0\n 3820 127 171 1 \n 3836 4 160 0\n",
        "t_us x y p\n3.811e+03 9.6e1 1.33E+02 0.0\n3.82e3 1.27e+02 171.0 1.000\n3836.0 4 16e1 0e5\n",
        "\ufefftimestamps,xs,ys,pols\n3811,96,133,0\n3820,127,171,1\n3836,4,160,0\n",
        "row,t,x,level,y,p\n1,3811,96,0.5,133,0\n2,3820,127,-1e9,171,1\n3,3836,4,7,160,0\n",
    ],
)
@pytest.mark.filterwarnings("ignore:.*columns that are none of")
def test_usual_ways_to_write_the_same_events(tmp_path, text):
    path = written(tmp_path, text)
    assert recognise(path) == "text"
    assert columns(read_events(path)) == WANTED
    path.write_bytes(gzip.compress(text.encode()[:40]) + gzip.compress(text.encode()[40:]))
    assert recognise(path) == "text"
    assert columns(read_events(path)) == WANTED


def test_a_first_line_with_the_size(tmp_path):
    with open_events(written(tmp_path, "240 180\n1.5 96 133 0\n1.6 127 171 1\n1.7 4 160 0\n")) as file:
        assert file.size == (180, 240)
        assert file.about == {"columns": "t x y p", "unit of time": "s"}
        assert file.read().t.tolist() == [1_500_000, 1_600_000, 1_700_000]


def test_other_columns_are_left_out_and_told(tmp_path):
    with pytest.warns(UserWarning, match="1 columns that are none of t, x, y and p were left out"):
        events = read_events(written(tmp_path, "t,x,y,p,label\n5,1,2,0,7\n6,1,2,1,7\n"))
    assert events.t.tolist() == [5, 6]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("12 5 x 1", "holds something that is no number"),
        ("12 5 6 -", "holds something that is no number"),
        ("12 5 6 1..0", "holds something that is no number"),
        ("nan 5 6 1", "holds something that is no number"),
        ("12 5 6e 1", "holds something that is no number"),
        ("12 5 6", "has too few columns"),
        ("12 5 6 1 1", "has too many columns"),
        ("12 65536 6 1", "has an x or y that is no whole number from 0 to 65535"),
        ("12 5 -6 1", "has an x or y that is no whole number from 0 to 65535"),
        ("12 5 6.5 1", "has an x or y that is no whole number from 0 to 65535"),
        ("12 5 1e-400 1", "has an x or y that is no whole number from 0 to 65535"),
        ("12 5 6 2", "has a polarity that is neither 0 or 1 nor -1 or 1"),
        ("12 5 6 0.5", "has a polarity that is neither 0 or 1 nor -1 or 1"),
        ("12 5 6 -1", "has polarity 0 in a file where others are -1"),
        ("9999999999999999999999 5 6 1", "has a time beyond what 64 bits of microseconds hold"),
        ("12e99 5 6 1", "has a time beyond what 64 bits of microseconds hold"),
    ],
)
def test_wrong_lines_are_named_by_line_and_byte(tmp_path, line, reason):
    start = "# t x y p\n10 1 2 0\n\n11 3 4 1\n"
    path = written(tmp_path, f"{start}{line}\n13 5 6 1\n")
    with pytest.raises(EventFileError) as error:
        read_events(path)
    assert f"byte {len(start)}: line 5, {line!r}, {reason}" in str(error.value)
    with pytest.warns(UserWarning, match="what is before it was read"):
        assert read_events(path, damaged="keep").t.tolist() == [10, 11]
    path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(EventFileError, match=f"byte {len(start)}: line 5 of the unpacked text"):
        read_events(path)


def test_a_packed_file_that_is_cut_or_changed_keeps_what_is_before(tmp_path):
    text = "".join(f"{t} {t * 7 % 640} {t * 13 % 480} {t % 2}\n" for t in range(200_000))
    packed = bytearray(gzip.compress(text.encode(), 1))
    path = tmp_path / "a"
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(EventFileError, match="cannot be unpacked"):
        read_events(path)
    with pytest.warns(UserWarning, match="cannot be unpacked"):
        events = read_events(path, damaged="keep")
    assert 50_000 < len(events) < 150_000
    assert events.t.tolist() == list(range(len(events)))
    packed[-6] ^= 1  # the sum over all bytes
    path.write_bytes(packed)
    with pytest.raises(EventFileError, match="CRC"):
        read_events(path)


def test_what_the_first_lines_leave_open_is_asked_for(tmp_path):
    with pytest.raises(EventFileError, match=r"may be t x y p or x y t p: say what the columns are in a first line"):
        read_events(written(tmp_path, "1 2 3 0\n4 5 6 1\n"))
    with pytest.raises(
        EventFileError,
        match=r"times are whole numbers, but written with a point: give the unit .*, or say what .*units",
    ):
        read_events(written(tmp_path, "1.0 20 3 0\n2.0 5 60 1\n2.0 1 3 1\n"))
    assert read_events(written(tmp_path, "# t_s x y p\n1.0 20 3 0\n")).t.tolist() == [1_000_000]


def test_nanoseconds_since_1970_are_seen_by_their_size(tmp_path):
    path = written(tmp_path, "1605537493718345123 20 3 0\n1605537493718345900 5 60 1\n1605537493718349000 4 2 1\n")
    with open_events(path) as file:
        assert file.about["unit of time"] == "ns"
        assert file.read().t.tolist() == [1605537493718345, 1605537493718346, 1605537493718349]


@pytest.mark.parametrize(
    "text", ["hello world\n", "1 2 3\n4 5 6\n", "0.5 1 2 3 4 5 6 7\n", "a,b,c,d\n1,2,3,4\n", "640 480\n", "x y\n1 2\n"]
)
def test_other_text_is_not_taken_for_events(tmp_path, text):
    with pytest.raises(EventFileError, match="no event file of a known format"):
        recognise(written(tmp_path, text))
    with pytest.raises(EventFileError, match="holds no lines with t, x, y and p"):
        read_events(tmp_path / "a", format="text")


def test_a_time_at_the_end_of_the_file_may_be_cut_short(tmp_path):
    text = "x,y,p,t\n1,2,0,123456\n3,4,1,1234"
    with pytest.raises(EventFileError, match=r"byte 21: the last line has no end, and its time fewer digits"):
        read_events(written(tmp_path, text))
    assert read_events(written(tmp_path, text + "56")).t.tolist() == [123456, 123456]


def test_a_file_without_lines_does_not_fill_memory(tmp_path):
    with pytest.raises(EventFileError, match="a line is longer than 65536 bytes"):
        read_events(written(tmp_path, "t x y p\n1 2 3 0\n" + "5" * 200_000))


@given(t=st.integers(-(10**17), 10**17), decimals=st.integers(0, 12), power=st.integers(-9, 9))
def test_times_are_exact_to_the_last_digit(tmp_path_factory, t, decimals, power):
    """Whatever notation a time is written in: it is the nearest microsecond of what is written."""
    from decimal import ROUND_HALF_UP, Decimal, localcontext

    with localcontext() as context:
        context.prec = 60
        number = Decimal(t).scaleb(-decimals - power)
        text = f"{Decimal(t).scaleb(-decimals):f}e{-power:+d}"
        wanted = int((number * 10**6).to_integral_value(ROUND_HALF_UP))
    path = tmp_path_factory.getbasetemp() / "times"
    path.write_text(f"# t_s x y p\n{text} 1 2 1\n")
    if abs(wanted) >= 2**62:
        return
    assert read_events(path).t.tolist() == [wanted]


@pytest.mark.shared
def test_real_files_against_numpy(shared):
    names = [path for kind in ("*.txt", "*.txt.gz", "*.csv") for path in sorted(shared.glob(f"data/**/{kind}"))]
    found = []
    for path in names:
        try:
            found += [path] if recognise(path) == "text" else []
        except EventFileError:
            continue
    if not found:
        pytest.skip(f"no text file of events below {shared}/data")
    for path in found:
        with open_events(path) as file:
            events, about = file.read(), file.about
        content = path.read_bytes()
        text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        table = dict(zip(about["columns"].split(), np.loadtxt(io.BytesIO(text)).T, strict=True))
        per_unit = {"s": 1e6, "ms": 1e3, "us": 1, "ns": 1e-3}[about["unit of time"]]
        np.testing.assert_array_equal(events.t, np.sort(np.rint(table["t"] * per_unit)))
        for name in "xy":
            np.testing.assert_array_equal(getattr(events, name), table[name])
        np.testing.assert_array_equal(events.p, table["p"] > 0)


def test_a_list_of_letters_is_no_recording(tmp_path):
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")))
    with pytest.raises(EventFileError, match="is no event file of a known format"):
        read_events(path)


GOOD = [f"{t / 1e6:.6f} {t % 240} {t % 180} {t % 2}" for t in range(400_000, 900_000, 101)]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (GOOD[::-1], r"read as t x y p, line 2, '0\.89.*', has a time before that of the line above it, as 1\d+ more "
                     r"of the first \d+ lines; put the lines in the order of time"),
        (["0.1 10 20 1", "nan 11 21 0", "0.3 12 22 1"], r"line 2, 'nan 11 21 0', has a time that is no number"),
        (["# a camera", "10 10 20 1", "11 11 21 7", "15 12 22 1"],
         r"line 3, '11 11 21 7', has a polarity that is neither"),
        (["240 180", "0.1 10 20 1", "0.2 11.5 21 0", "0.3 12 22 1"],
         r"line 3, '0.2 11.5 21 0', has an x or y that is no whole number"),
        (["0.1 10 20 1", "0.2 11 21 -1", "0.3 12 22 0"], r"line 3, .* has polarity 0 in a file where others are -1"),
        (["0.3 10 20 1", "0.2 11 21 0", "0.1 12 22 1"], r"line 2, '0.2 11 21 0', has a time before that of the line"),
        (["10,20,0.3,1", "11,21,0.2,0", "12,22,0.1,1"], r"read as x y t p, line 2, '11,21,0.2,0', has a time before"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_lines_of_four_numbers_is_told(tmp_path, lines, problem):
    path = written(tmp_path, "\n".join(lines) + "\n")
    with pytest.raises(EventFileError, match=f"is no event file of a known format: {problem}" if "read as" in problem
                       else f"is no event file of a known format: read as .*{problem}"):  # fmt: skip
        read_events(path)
    with pytest.raises(EventFileError, match=problem):
        read_events(path, format="text")


@pytest.mark.parametrize("content", ["1 2 3\n4 5 6\n", "a b c d\n1 2 3 4\n", "words\n" * 5, "1 2 3 4 5\n6 7 8 9 10\n"])
def test_texts_that_are_nothing_of_the_kind_are_not_explained(tmp_path, content):
    with pytest.raises(EventFileError, match=r"is no event file of a known format\. If it is of one of these"):
        read_events(written(tmp_path, content))
