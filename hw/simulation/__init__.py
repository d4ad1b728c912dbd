"""What the integer simulator is made of: kernels of neurons, sums over connections."""
