import subprocess
import sys

import numpy as np
import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikelab.sim import units
from spikelab.sim.units import Hz, Mohm, mA, metre, ms, mV, nF, nS, pA, percent, pF, second, show, si, text_of, um, volt


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.02, "s", 0.02),
        (3, "V", 3.0),
        (20 * ms, "s", 20e-3),
        (ms, "s", 1e-3),
        (-50 * mV, "V", -50e-3),
        (16.2 * pA, "A", 16.2e-12),
        (1 * mV * 1 * nS, "A", 1e-12),
        (1 * mV * nS, "A", 1e-12),
        (200 * pF / (10 * nS), "s", 20e-3),
        (100 * Mohm * 0.2 * nF, "s", 20e-3),
        (8 * Hz, "1/s", 8.0),
        (2 * mV / ms, "V/s", 2.0),
        (1 * mA / (2 * volt), "S", 0.5e-3),
        (3 * um, "m", 3e-6),
        (50 * percent, "1", 0.5),
        (ms / second, "1", 1e-3),
        ("20 ms", "s", 20e-3),
        ("-5e1mV", "V", -50e-3),
        ("16.2 pA", "A", 16.2e-12),
        (" .5  mV / ms ", "V/s", 0.5),
        ("3 mV*nS", "A", 3e-12),
        ("2 um**2", "m**2", 2e-12),
        ("4 s^-1", "Hz", 4.0),
        ("4 1/ms", "Hz", 4000.0),
        ("0.3", "1", 0.3),
        ("2 min", "s", 120.0),
        (np.float32(0.5), "V", 0.5),
        (np.int16(2) * ms, "s", 2e-3),
    ],
)
def test_values_in_si_units(value, unit, expected):
    result = si(value, unit, "x")
    assert isinstance(result, float)
    assert result == expected


@given(st.integers(-(10**6), 10**6))
def test_a_prefix_is_applied_with_one_rounding(number):
    for name, power in (("ms", 3), ("us", 6), ("ns", 9)):
        assert si(f"{number} {name}", "s", "x") == float(f"{number}e-{power}")


class TestArrays:
    def test_from_either_side(self):
        for quantity in (np.array([1, 2]) * ms, ms * np.array([1, 2]), [1, 2] * ms, [1 * ms, 2 * ms], ["1 ms", 0.002]):
            np.testing.assert_array_equal(si(quantity, "s", "x"), [1e-3, 2e-3])

    def test_of_more_dimensions(self):
        assert si(np.ones((3, 2)) * um, "m", "x").shape == (3, 2)
        np.testing.assert_array_equal(si([[1 * um, 2 * um], [3 * um, 4 * um]], "m", "x"), [[1e-6, 2e-6], [3e-6, 4e-6]])

    def test_a_plain_array_is_taken_as_it_is(self):
        array = np.array([1.0, 2.0])
        assert si(array, "V", "x") is array
        assert si(np.array([1, 2], np.uint8), "V", "x").dtype == np.float64

    def test_units_of_parts_are_never_dropped(self):
        with pytest.raises(ValueError, match="x = "):
            si([1 * mV, 2 * ms], "s", "x")
        with pytest.raises(ValueError, match="x = "):
            si(np.array([1 * mV, 2 * mV], dtype=object), "s", "x")


class TestRefused:
    @pytest.mark.parametrize(
        ("value", "unit", "message"),
        [
            (20 * mV, "s", r"cells: tau = 20 millivolt must be a quantity in s, such as 20 \* ms.*Cannot convert"),
            (20 * ms, "1", "must be a number without a unit, such as 0.5"),
            ("20", "s", "tau = '20' .* it has no unit"),
            ("20 msx", "s", "'msx' is not defined"),
            ("20 ms please stop", "s", "tau = '20 ms please stop'"),
            ("ms", "s", "not a number and a unit"),
            ("", "s", "not a number and a unit"),
            (float("nan"), "s", "tau = nan must be finite"),
            (np.array([1, 2, np.inf]), "s", r"must be finite and not NaN at \[2\]"),
            (float("-inf") * ms, "s", "must be finite"),
            ("1e999 ms", "s", "must be finite"),
            (True, "s", "bool is neither a number nor a quantity"),
            (None, "s", "NoneType is neither"),
            (1j, "s", "complex is neither"),
            ({"a": 1}, "s", "dict is neither"),
            (pint.UnitRegistry().Quantity(1, "mV"), "s", "Cannot convert"),
        ],
    )
    def test_with_the_name_the_value_and_the_remedy(self, value, unit, message):
        with pytest.raises(ValueError, match="cells: tau = ") as error:
            si(value, unit, "cells: tau")
        assert error.match(message)

    @pytest.mark.parametrize(
        "text", ["1 mV**9**9**9**9", "9**9**9**9 mV", "1 __import__('os')", "1 (mV", "1 mV;ms", "1 " + "s" * 10**6]
    )
    def test_text_is_never_worked_out(self, text):
        with pytest.raises(ValueError, match="x = "):
            si(text, "V", "x")


def test_quantities_of_another_registry_pass():
    assert si(pint.UnitRegistry().Quantity(20, "ms"), "s", "x") == 0.02


def test_degrees_celsius_keep_their_zero():
    assert si(pint.UnitRegistry().Quantity(20, "degC"), "K", "x") == pytest.approx(293.15)


def test_every_exported_unit_is_one():
    for name in units.UNITS:
        assert getattr(units, name).dimensionality is not None
        assert name in dir(units)
    with pytest.raises(AttributeError, match="furlong"):
        units.furlong  # noqa: B018


def test_nothing_is_changed_elsewhere():
    before = pint.get_application_registry().get()
    assert 1 * ms == 1e-3 * second
    assert pint.get_application_registry().get() is before
    assert ms._REGISTRY is not before


def test_plain_numbers_do_not_import_pint():
    code = (
        "import sys; from spikelab.sim.units import si; assert si(1, 's', 'x') == 1; assert 'pint' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.02, "s", "20 ms"),
        (-0.05, "V", "-50 mV"),
        (16.2e-12, "A", "16.2 pA"),
        (1e-3, "s", "1 ms"),
        (999.9999e-6, "s", "1 ms"),
        (1e-4, "s", "100 us"),
        (3600, "s", "3600 s"),
        (0, "V", "0 V"),
        (1e8, "ohm", "100 Mohm"),
        (1e-20, "F", "1e-05 fF"),
        (0.5, "1", "0.5"),
        (2, "V/s", "2 V/s"),
    ],
)
def test_show(value, unit, text):
    assert show(value, unit) == text


@given(st.floats(1e-14, 1e10), st.sampled_from(["s", "V", "A", "S", "F", "Hz", "ohm", "m"]))
def test_what_is_shown_can_be_read(value, unit):
    assert si(show(value, unit), unit, "x") == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(
    ("quantity", "unit"),
    [
        *((-60 * mV, "V"), (3 * um, "m"), (100 * Mohm, "ohm"), (1 * mV * nS, "A"), (3 * mV / ms, "V/s"), (ms, "s")),
        *((50 * percent, "1"), ("7 mV", "V"), (0.1 * metre, "m")),
    ],
)
def test_text_of_a_quantity_keeps_its_value(quantity, unit):
    text = text_of(quantity)
    assert isinstance(text, str)
    assert si(text, unit, "x") == si(quantity, unit, "x")
    assert text_of(text) == text


def test_text_of_leaves_numbers_alone():
    assert text_of(0.5) == 0.5
    assert text_of(None) is None
    assert text_of("-60 mV") == text_of(-60 * mV) == "-60.0 mV"
