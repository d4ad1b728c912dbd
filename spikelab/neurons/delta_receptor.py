"""A spike moves the membrane at once."""

from spikelab.neurons.receptor import ReceptorModel

Delta = ReceptorModel(
    name="delta",
    title="Delta receptor",
    arrival="membrane",
    unit="membrane",
    source="Brunel 2000, Journal of Computational Neuroscience 8, eqs. 1 and 2; NEST's iaf_psc_delta",
)
