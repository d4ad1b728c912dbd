"""Several torch threads, several Python threads, and a fork: the same numbers, and nobody waits for ever."""

from __future__ import annotations

import multiprocessing
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numba import cfunc

from spikelab.kernels import generated, threads
from spikelab.kernels.native import CLAIMED, ENTRY, array_at, claim, table_of
from spikelab.kernels.threads import PARALLEL_FROM
from spikelab.neurons.step import StepOptions

OPTIONS = StepOptions("cuba_lif", method="exact", reset="subtract")
STEPS, BATCH, NEURONS = 20, 3, 1500


def large(contract):
    assert STEPS * BATCH * NEURONS > PARALLEL_FROM, "too small to be spread over threads"
    return contract.problem(OPTIONS, False, STEPS, BATCH, NEURONS // 30).tiled(30)


@pytest.fixture
def thread_count():
    """Sets torch's thread number, and puts it back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture(params=["torch's own threads", "a pool"])
def team(request, monkeypatch):
    """Which threads run the kernels."""
    if request.param == "a pool":
        monkeypatch.setattr(threads, "_openmp", None)
    elif threads._openmp is None:
        pytest.skip("this torch lends no OpenMP threads")
    return request.param


def bits(solution):
    return [*solution.outputs, *solution.final, *solution.gradients.values()]


@pytest.mark.usefixtures("team")
def test_any_number_of_threads_gives_the_same_bits(contract, thread_count):
    problem = large(contract)
    thread_count(1)
    one = contract.solve(problem, OPTIONS, "numba")
    assert 0 < one.outputs[0].mean() < 1
    for count in (2, 3, 8):
        thread_count(count)
        several = contract.solve(problem, OPTIONS, "numba")
        assert all(torch.equal(a, b) for a, b in zip(bits(one), bits(several), strict=True)), count


@pytest.mark.usefixtures("team")
def test_python_threads_may_call_at_once(contract, thread_count):
    problem = large(contract)
    thread_count(2)
    alone = contract.solve(problem, OPTIONS, "numba")
    with ThreadPoolExecutor(4) as executor:
        together = list(executor.map(lambda _: contract.solve(problem, OPTIONS, "numba"), range(12)))
    for found in together:
        assert all(torch.equal(a, b) for a, b in zip(bits(alone), bits(found), strict=True))


def test_python_threads_may_load_the_same_new_kernel_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKELAB_CACHE", str(tmp_path))
    # the pause is where another thread finds a module that is not complete
    source = f"import time\ntime.sleep(0.2)\nvalue = {str(tmp_path)!r}\n"
    start = threading.Barrier(4)

    def load(position):
        start.wait()
        time.sleep(0.05 * position)
        return generated.load_generated(source, "a test").value

    with ThreadPoolExecutor(4) as executor:
        assert list(executor.map(load, range(4))) == [str(tmp_path)] * 4


def _run_in_child(contract, problem, pipe):
    solution = contract.solve(problem, OPTIONS, "numba")
    pipe.send([[value.numpy() for value in bits(solution)], len(threads._workers)])
    pipe.close()


def test_a_forked_child_runs_kernels_after_its_parent_did(contract, monkeypatch):
    problem = large(contract)
    # two threads for the kernels alone: torch's own pool (OpenMP) does not survive a fork, which is why data loaders
    # set it to one thread
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    truth = contract.solve(problem, OPTIONS, "numba")
    assert threads._openmp or threads._workers, "the parent used no threads, so the fork proves nothing"
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=_run_in_child, args=(contract, problem, send))
    child.start()
    try:
        assert receive.poll(120), "the child hangs"
        values, workers = receive.recv()
        assert workers == 1, "the child counts its parent's threads, or did not use any"
        for found, true in zip(values, bits(truth), strict=True):
            assert (found == true.numpy()).all()
        child.join(30)
        assert child.exitcode == 0
    finally:
        child.kill()


@cfunc(ENTRY)
def count_pieces(table):
    """Adds one to each piece that it claims, slowly enough that other threads come in between."""
    size = table[2]
    counts = array_at(table[3], (size,), np.float64)
    while True:
        piece = claim(table, CLAIMED)
        if piece >= size:
            break
        total = 0.0
        for i in range(2000):
            total += np.sin(i * 1.0)
        counts[piece] += 1.0 if total != 0.5 else 2.0


@pytest.mark.usefixtures("team")
@pytest.mark.parametrize("size", [0, 1, 7, 1000])
@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_every_piece_is_run_once(size, count):
    counts = np.zeros(size)
    for repeats in range(1, 6):
        threads.run_on_threads(count_pieces.address, table_of(size, counts.ctypes.data), count)
        assert (counts == repeats).all()


def test_torchs_own_threads_are_found_where_torch_has_some():
    """On Linux, where torch's wheels are linked with OpenMP: small layers are slower without."""
    if not (sys.platform == "linux" and torch.backends.openmp.is_available()):
        pytest.skip("no OpenMP in this torch")
    assert threads._find_openmp() is not None
