"""MVSEC: recordings of two DAVIS346, with labels of the user's own."""
