"""Recordings of channels in place of pixels, with one class each; their samples are described in `samples`."""
