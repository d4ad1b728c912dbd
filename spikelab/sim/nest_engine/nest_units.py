"""SI numbers as NEST's: mV, pA, pF, nS, ms and Hz."""

from __future__ import annotations

#: SI unit -> how many of NEST's one of it is. Dimensionless neurons are given numbers of one for one.
NEST_UNITS = {"V": 1e3, "A": 1e12, "F": 1e12, "S": 1e9, "s": 1e3, "Hz": 1.0, "1": 1.0}
