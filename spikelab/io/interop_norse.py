"""Norse: ``from_norse`` takes a network in, ``to_norse`` gives one out."""

from spikelab.io.interop_norse_read import from_norse as from_norse
from spikelab.io.interop_norse_write import to_norse as to_norse
