"""C99 for microcontrollers: no allocation, no dependency, work only where events are."""

from spikelab.hw.backends.c99.plan import C99Error
from spikelab.hw.backends.c99.verify import verify_c99
from spikelab.hw.backends.c99.write import write_c99

__all__ = ["C99Error", "verify_c99", "write_c99"]
