"""Trainable modules: neurons, connections and networks."""
