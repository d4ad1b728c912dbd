"""The pool of large buffers: reused when free, never shared while in use, bounded."""

from __future__ import annotations

import gc
import threading

import pytest
import torch

from spikelab.kernels import buffers, choose, operator
from spikelab.kernels.buffers import SMALLEST, BufferPool
from spikelab.neurons.step import StepOptions

COUNT = SMALLEST // 4


def test_a_freed_buffer_is_used_again():
    pool = BufferPool(1 << 30)
    first = pool.empty((4, COUNT), torch.float32)
    address = first.data_ptr()
    assert address % 64 == 0
    assert pool.kept_bytes == 0
    del first
    assert pool.kept_bytes >= 4 * SMALLEST
    assert pool.empty((COUNT, 4), torch.float32).data_ptr() == address
    # another dtype of the same number of bytes fits as well
    assert pool.empty((2, COUNT), torch.float64).data_ptr() == address


def test_live_tensors_share_nothing():
    pool = BufferPool(1 << 30)
    held = [pool.empty((COUNT,), torch.float32).fill_(k) for k in range(5)]
    view = held[2][10:20].view(2, 5)
    del held[2]
    gc.collect()
    # a view alone keeps the block on loan
    fresh = [pool.empty((COUNT,), torch.float32).fill_(9) for _ in range(3)]
    assert (view == 2).all()
    assert [float(t[0]) for t in held] == [0, 1, 3, 4]
    assert len({t.data_ptr() for t in (*held, *fresh)}) == 7


def test_a_buffer_held_by_autograd_is_not_given_out():
    pool = BufferPool(1 << 30)
    factor = pool.empty((COUNT,), torch.float32).fill_(3)
    x = torch.ones(COUNT, requires_grad=True)
    product = x * factor
    del factor
    pool.empty((COUNT,), torch.float32).fill_(-1)
    product.sum().backward()
    assert (x.grad == 3).all()


def test_detached_numpy_and_storage_views_keep_the_loan():
    pool = BufferPool(1 << 30)
    array = pool.empty((COUNT,), torch.float32).fill_(1).numpy()
    other = pool.empty((COUNT,), torch.float32).fill_(2)
    assert (array == 1).all()
    detached = other.detach()
    del other
    pool.empty((COUNT,), torch.float32).fill_(3)
    assert (detached == 2).all()


def test_the_limit_holds_and_the_oldest_goes_first():
    pool = BufferPool(3 * (SMALLEST + 64))
    held = [pool.empty((COUNT,), torch.float32) for _ in range(5)]
    addresses = [t.data_ptr() for t in held]
    while held:
        del held[0]
        assert pool.kept_bytes <= pool.limit
    assert pool.kept_bytes == 3 * (SMALLEST + 64)
    again = [pool.empty((COUNT,), torch.float32) for _ in range(3)]
    assert {t.data_ptr() for t in again} == set(addresses[2:])
    pool.clear()
    assert pool.kept_bytes == 0


def test_no_limit_means_nothing_is_kept_and_small_tensors_are_left_to_torch():
    pool = BufferPool(0)
    pool.empty((COUNT,), torch.float32)
    assert pool.kept_bytes == 0
    pool = BufferPool(1 << 30)
    small = pool.empty((COUNT - 1,), torch.float32)
    whole = pool.empty((2 * COUNT,), torch.int64)
    del small, whole
    assert pool.kept_bytes == 0
    assert pool.empty((0, 5), torch.float32).shape == (0, 5)


def test_a_much_larger_block_is_not_wasted_on_a_small_request():
    pool = BufferPool(1 << 30)
    pool.empty((100 * COUNT,), torch.float32)
    kept = pool.kept_bytes
    small = pool.empty((COUNT,), torch.float32)
    assert pool.kept_bytes == kept
    del small


def test_threads_may_use_the_pool_at_once():
    pool = BufferPool(8 * SMALLEST)
    failures = []

    def work(value: int) -> None:
        for _ in range(50):
            tensor = pool.empty((COUNT,), torch.float32).fill_(value)
            if not (tensor == value).all():
                failures.append(value)

    running = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert not failures
    assert pool.kept_bytes <= pool.limit


def test_a_wrong_limit_is_named(monkeypatch):
    monkeypatch.setenv("SPIKELAB_BUFFER_MIB", "lots")
    with pytest.raises(ValueError, match=r"SPIKELAB_BUFFER_MIB = 'lots'.*MiB"):
        buffers._limit_from_environment()
    monkeypatch.setenv("SPIKELAB_BUFFER_MIB", "3")
    assert buffers._limit_from_environment() == 3 << 20


def test_training_steps_take_their_buffers_from_the_pool(contract, monkeypatch):
    options = StepOptions("cuba_lif", method="exact", reset="subtract")
    problem = contract.problem(options, False, 20, 3, 50).tiled(150)
    monkeypatch.setattr(operator, "pool", BufferPool(1 << 30))
    contract.solve(problem, options, "numba")
    kept = operator.pool.kept_bytes
    assert kept > 0
    for _ in range(3):
        contract.solve(problem, options, "numba")
    assert operator.pool.kept_bytes == kept, "a step leaves more buffers behind than it takes"


def kept_per_neuron_and_step(neuron: str, recompute: bool) -> float:
    """Floats beyond input and output; counted on the tensors that the backward pass holds."""
    from spikelab.kernels.coefficients import coefficients
    from spikelab.neurons.step import build_step

    options = StepOptions(neuron, refractory=True)
    step = build_step(options)
    steps, size = 128, 96
    x = torch.zeros(steps, 2, size // 2, requires_grad=True)
    state = [torch.zeros(2, size // 2) for _ in step.states]
    parameters = {p.name: torch.tensor(p.default, dtype=torch.float64) for p in step.spec.parameters}
    packed = choose.pack(options.key(), list(coefficients(step, parameters, 1e-3, 2e-3).values()), x)
    kept: dict[int, torch.Tensor] = {}

    def remember(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        outputs, _ = choose.run_neuron(step, x, state, packed, "numba", recompute)
    outside = {x.untyped_storage().data_ptr(), outputs[0].untyped_storage().data_ptr()}
    floats = sum(t.untyped_storage().nbytes() // 4 for address, t in kept.items() if address not in outside)
    return floats / (steps * size)


@pytest.mark.parametrize("neuron", ["lif", "cuba_lif", "adex", "izhikevich"])
@pytest.mark.parametrize("recompute", [False, True])
def test_no_more_than_one_float_is_kept_per_neuron_and_step(monkeypatch, neuron, recompute):
    monkeypatch.setattr(operator.Kernel, "run_forward", lambda *a, **k: None)
    assert 0 < kept_per_neuron_and_step(neuron, recompute) <= (0.15 if recompute else 0.5)


def test_long_sequences_keep_less_and_least_where_asked_for(monkeypatch):
    monkeypatch.setattr(operator.Kernel, "run_forward", lambda *a, **k: None)
    usual = kept_per_neuron_and_step("lif", False)
    monkeypatch.setattr(choose, "LONG_STEPS", 1)
    monkeypatch.setattr(choose, "LONG_ELEMENTS", 1)
    assert kept_per_neuron_and_step("lif", True) < kept_per_neuron_and_step("lif", False) < usual
