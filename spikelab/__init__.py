"""Spiking neural networks: simulate, train and deploy, from one set of neuron equations."""

__version__ = "0.1.0"
