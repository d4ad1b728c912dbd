"""Streams of random numbers: one for each thing that draws, so that adding one changes no other."""

STREAM_OF_PARAMETERS, STREAM_OF_WIRING, STREAM_OF_INPUTS, STREAM_OF_SOURCES, STREAM_OF_REWIRING = (
    kind << 32 for kind in range(1, 6)
)
