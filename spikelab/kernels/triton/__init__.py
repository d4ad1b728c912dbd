"""Triton code of a step: printed, compiled and launched. ``triton_cuda`` is the back end that uses it."""
