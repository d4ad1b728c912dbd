"""Compressed video clips with one class each; their samples are described in `samples`."""
