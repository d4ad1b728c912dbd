"""The random numbers of the device are those of the CPU, bit for bit: a function of (key, item, step)."""

import numpy as np
import pytest

triton = pytest.importorskip("triton", reason="Triton is not installed: pip install 'spikelab[cuda]'")
tl = pytest.importorskip("triton.language")

from spikelab.sim.random_numbers import (  # noqa: E402
    bits,
    fill_normal,
    fill_poisson,
    poisson_of_mean,
    poisson_table,
    step_key,
    stream_key,
)
from spikelab.sim.triton_engine import normal, poisson, random_bits  # noqa: E402

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("device")]

SIZE, MANY, LANES = 1000, 1 << 16, 128
STEP = (1 << 33) + 7

_load_unsigned, _step_key, _turned, _word = (
    random_bits.load_unsigned,
    random_bits.step_key,
    random_bits.turned,
    random_bits.word,
)
_normal, _poisson, _of_mean = normal.normal, poisson.poisson, poisson.poisson_of_mean


@triton.jit
def draw_words(out, key, step, LANES: tl.constexpr):
    neuron = tl.program_id(0) * LANES + tl.arange(0, LANES)
    k = _step_key(_load_unsigned(key), tl.load(step))
    tl.store(out + neuron, _word(k, _turned(k), neuron.to(tl.uint64)).to(tl.int64, bitcast=True))


@triton.jit
def draw_normal(out, key, step, LANES: tl.constexpr):
    neuron = tl.program_id(0) * LANES + tl.arange(0, LANES)
    tl.store(out + neuron, _normal(_step_key(_load_unsigned(key), tl.load(step)), neuron))


@triton.jit
def draw_poisson(out, key, step, table, LANES: tl.constexpr):
    neuron = tl.program_id(0) * LANES + tl.arange(0, LANES)
    tl.store(out + neuron, _poisson(_step_key(_load_unsigned(key), tl.load(step)), neuron, table))


@triton.jit
def draw_of_mean(out, key, step, means, nones, somes, factorials, LANES: tl.constexpr, REJECTION: tl.constexpr):
    neuron = tl.program_id(0) * LANES + tl.arange(0, LANES)
    k = _step_key(_load_unsigned(key), tl.load(step))
    mean, none, some = tl.load(means + neuron), tl.load(nones + neuron), tl.load(somes + neuron)
    tl.store(out + neuron, _of_mean(k, neuron, mean, none, some, factorials, REJECTION))


def drawn(device, kernel, key, dtype, *arrays, size=SIZE, **constants):
    constants = {"LANES": LANES, **constants}
    programs = -(-size // constants["LANES"])
    out = device.tensor(np.zeros(programs * constants["LANES"], dtype))
    key_, step = device.tensor(np.array([key], np.uint64).view(np.int64)), device.tensor([STEP])
    arguments = [device.tensor(each) for each in arrays]
    kernel[(programs,)](out, key_, step, *arguments, **constants, enable_fp_fusion=False)
    return out.cpu().numpy()[:size]


@pytest.fixture(params=[1, 2**64 - 3])
def key(request):
    return stream_key(request.param, 77)


def test_bits(device, key):
    expected = np.array([bits(key, np.uint64(item), STEP) for item in range(SIZE)], np.uint64)
    np.testing.assert_array_equal(drawn(device, draw_words, key, np.int64).view(np.uint64), expected)


def test_normal_draws(device, key):
    expected = np.zeros(SIZE, np.float32)
    fill_normal(expected, step_key(key, STEP), 0, SIZE)
    found = drawn(device, draw_normal, key, np.float32)
    np.testing.assert_array_equal(found.view(np.int32), expected.view(np.int32))
    assert 0.9 < expected.std() < 1.1


@pytest.mark.parametrize("mean", [0.0, 1e-9, 0.002, 0.7, 4.9, 5.1, 30.0, 1000.0])
def test_poisson_counts(device, key, mean):
    table = poisson_table(mean)
    expected = np.zeros(SIZE, np.int64)
    fill_poisson(expected, step_key(key, STEP), 0, SIZE, table)
    np.testing.assert_array_equal(drawn(device, draw_poisson, key, np.int64, table.view(np.int64)), expected)
    assert abs(expected.mean() - mean) < 5 * np.sqrt(mean / SIZE) + 1e-6


def test_poisson_counts_of_the_tail(device, key):
    table = poisson_table(0.7)
    expected = np.zeros(MANY, np.int64)
    fill_poisson(expected, step_key(key, STEP), 0, MANY, table)
    found = drawn(device, draw_poisson, key, np.int64, table.view(np.int64), size=MANY, LANES=4096)
    np.testing.assert_array_equal(found, expected)
    # only all 64 bits of an item make it larger than the last of the counts that 32 bits decide
    assert (expected > table[2]).any()


def test_poisson_counts_of_each_mean(device, key):
    mean = np.zeros(-(-SIZE // LANES) * LANES)
    mean[:SIZE] = np.geomspace(1e-9, 1000, SIZE)
    mean[::17] = 0.0
    expected = np.array(
        [poisson_of_mean(np.uint64(bits(key, np.uint64(item), STEP)), mean[item]) for item in range(SIZE)], float
    )
    tables = mean, np.exp(-mean), -np.expm1(-mean), poisson.log_factorials()
    found = drawn(device, draw_of_mean, key, np.float64, *tables, REJECTION=True)
    np.testing.assert_array_equal(found, expected)
    assert abs(expected[-100:].sum() / mean[SIZE - 100 : SIZE].sum() - 1) < 0.02


def test_counts_beyond_the_kept_factorials_are_not_accepted(device):
    """The first candidate of neuron 501 under this key is 3649, of a mean of 1000."""
    key, mean = stream_key(751, 77), np.full(-(-SIZE // LANES) * LANES, 1000.0)
    expected = np.array(
        [poisson_of_mean(np.uint64(bits(key, np.uint64(item), STEP)), mean[item]) for item in range(SIZE)], float
    )
    tables = mean, np.exp(-mean), -np.expm1(-mean), poisson.log_factorials()
    found = drawn(device, draw_of_mean, key, np.float64, *tables, REJECTION=True)
    np.testing.assert_array_equal(found, expected)
