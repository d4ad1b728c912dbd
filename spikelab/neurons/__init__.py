"""What a neuron is: symbolic equations, units and sources. Nothing here needs torch or numba."""
