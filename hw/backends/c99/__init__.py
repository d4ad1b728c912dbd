"""C99 for microcontrollers: no allocation, no dependency, work only where events are."""

from spikelab.hw.backends.c99.plan import C99Error
from spikelab.hw.backends.c99.size import firmware_size
from spikelab.hw.backends.c99.verify import verify_c99
from spikelab.hw.backends.c99.write import write_c99

__all__ = ["C99Error", "firmware_size", "verify_c99", "write_c99"]
