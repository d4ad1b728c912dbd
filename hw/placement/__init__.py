"""Mapping an integer graph to a target: cutting populations, counting what pieces need, laying them on cores."""
