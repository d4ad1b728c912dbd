"""Analysis and pictures of activity, of simulated networks and of recordings of other programs.

    from spikelab.report.activity import SpikeTrains, activity_report, irregularity

    activity_report(network, "runs/balanced")  # pictures, figures and one page
    trains = SpikeTrains.from_monitor(spikes, stop=network.time)
    irregularity(trains).cv  # one measure

Needs the extra ``analysis``: elephant and scipy. Elephant computes CV2 and LV; ``SpikeTrains.to_neo`` hands spikes over
to all the rest of it. What it does pair by pair or object by object is done here on whole arrays, and the tests compare
the two. It has no measure of synchrony like Golomb and Rinzel's.
"""

from spikelab.report.activity.binning import bin_edges, neuron_counts, population_counts, population_rate
from spikelab.report.activity.burst_search import Bursts, bursts
from spikelab.report.activity.correlation_pictures import draw_correlograms, draw_pair_correlations, draw_spectrum
from spikelab.report.activity.correlograms import Correlogram, auto_correlogram, cross_correlogram
from spikelab.report.activity.histograms import draw_histograms
from spikelab.report.activity.page import activity_report
from spikelab.report.activity.raster import draw_raster
from spikelab.report.activity.rate_course import draw_rates
from spikelab.report.activity.rates import first_spike_latencies, mean_rates, silent_share
from spikelab.report.activity.recording import read_recording, recorded_groups
from spikelab.report.activity.spectrum import RateSpectrum, rate_spectrum
from spikelab.report.activity.spike_intervals import Intervals, Irregularity, intervals, irregularity
from spikelab.report.activity.spike_trains import SpikeTrains
from spikelab.report.activity.states import draw_states
from spikelab.report.activity.synapse_counts import SynapseCounts, count_synapses, weight_matrix
from spikelab.report.activity.synapse_pictures import draw_synapses, draw_weight_matrix
from spikelab.report.activity.variability import (
    PairCorrelations,
    Synchrony,
    fano_factors,
    pair_correlations,
    state_synchrony,
    synchrony,
)
from spikelab.report.activity.weights import draw_weights

__all__ = [
    "Bursts",
    "Correlogram",
    "Intervals",
    "Irregularity",
    "PairCorrelations",
    "RateSpectrum",
    "SpikeTrains",
    "SynapseCounts",
    "Synchrony",
    "activity_report",
    "auto_correlogram",
    "bin_edges",
    "bursts",
    "count_synapses",
    "cross_correlogram",
    "draw_correlograms",
    "draw_histograms",
    "draw_pair_correlations",
    "draw_raster",
    "draw_rates",
    "draw_spectrum",
    "draw_states",
    "draw_synapses",
    "draw_weight_matrix",
    "draw_weights",
    "fano_factors",
    "first_spike_latencies",
    "intervals",
    "irregularity",
    "mean_rates",
    "neuron_counts",
    "pair_correlations",
    "population_counts",
    "population_rate",
    "rate_spectrum",
    "read_recording",
    "recorded_groups",
    "silent_share",
    "state_synchrony",
    "synchrony",
    "weight_matrix",
]
