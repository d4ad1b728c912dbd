"""Limits of chips that running a graph on data shows."""
