"""snnTorch: ``from_snntorch`` takes a network in, ``to_snntorch`` gives one out."""

from spikelab.io.interop_snntorch_read import from_snntorch as from_snntorch
from spikelab.io.interop_snntorch_write import to_snntorch as to_snntorch
