"""Several torch threads, several Python threads, and a fork: the same numbers, and nobody waits for ever."""

from __future__ import annotations

import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from spikelab.kernels import generated, threads
from spikelab.kernels.numba_cpu import PARALLEL_FROM
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


def bits(solution):
    return [*solution.outputs, *solution.final, *solution.gradients.values()]


def test_any_number_of_threads_gives_the_same_bits(contract, thread_count):
    problem = large(contract)
    thread_count(1)
    one = contract.solve(problem, OPTIONS, "numba")
    assert 0 < one.outputs[0].mean() < 1
    for count in (2, 3, 8):
        thread_count(count)
        several = contract.solve(problem, OPTIONS, "numba")
        assert all(torch.equal(a, b) for a, b in zip(bits(one), bits(several), strict=True)), count


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
    assert threads._workers, "the parent has no worker threads, so the fork proves nothing"
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


def test_ranges_cover_everything_once():
    for size, grain, count in ((0, 4, 3), (1, 4, 3), (8, 4, 3), (9, 4, 3), (100, 7, 4), (100, 100, 5)):
        seen = []
        threads.parallel_ranges(lambda start, stop, seen=seen: seen.append((start, stop)), size, grain, count)
        covered = sorted(i for start, stop in seen for i in range(start, stop))
        assert covered == list(range(size))
        assert all(start % grain == 0 for start, _ in seen)
        assert len(seen) <= count


@pytest.mark.parametrize("where", [0, 1, 2])
def test_an_error_in_any_thread_reaches_the_caller(where):
    ended = []

    def work(start, stop):
        if start == where * 10:
            raise ValueError(f"range {start}")
        ended.append(start)

    with pytest.raises(ValueError, match=f"range {where * 10}"):
        threads.parallel_ranges(work, 30, 10, 3)
    assert len(ended) == 2
    # the pool is still of use
    threads.parallel_ranges(lambda start, stop: ended.append(stop), 30, 10, 3)
    assert len(ended) == 5
