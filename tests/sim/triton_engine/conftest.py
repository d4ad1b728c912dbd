"""Kernels run on a CUDA device, or in Triton's interpreter on the CPU: that is chosen before Triton is imported.

So without a device, tests with the fixture ``device`` are skipped in the process that was asked to run them;
test_under_interpreter.py runs their files once more, each in a process of its own with TRITON_INTERPRET=1.
"""

import pytest

NO_TRITON = "Triton is not installed: pip install 'spikelab[cuda]'"


@pytest.fixture(scope="session")
def device():
    pytest.importorskip("triton", reason=NO_TRITON)
    from spikelab.sim.triton_engine.device import INTERPRETED, NoDeviceError, choose_device

    try:
        return choose_device()
    except NoDeviceError:
        assert not INTERPRETED
        pytest.skip("no CUDA device; test_under_interpreter.py runs this file in Triton's interpreter")
