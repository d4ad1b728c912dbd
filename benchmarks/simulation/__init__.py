"""Recurrent networks in spikelab beside NEST, Brian2 and GeNN: speed, and whether they do the same. See README.md."""
