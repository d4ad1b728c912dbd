"""Writes NPZ as spikelab's own event arrays do."""


def write(path, events):
    events.to_npz(path)
