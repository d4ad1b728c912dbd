"""Products whose cost follows the spikes: what is zero is left out, forward and in the gradient of the weights."""
