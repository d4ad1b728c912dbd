"""Hands a network to NEST, which runs it on threads, or with its own build on the machines of a cluster (MPI)."""
