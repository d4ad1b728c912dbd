"""How a neuron runs: back ends generated from the equations."""
