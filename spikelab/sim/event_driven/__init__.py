"""Simulation without a time grid: every spike at its exact time, for neurons whose membrane has a closed solution."""
