"""Recordings of event cameras with one class each; their samples are described in `samples`."""
