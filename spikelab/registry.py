"""What the command line and the settings files can name: one literal table per kind, `name -> "module:attribute"`.

Adding a model, a data set, a neuron or a task is its own file plus one line here. Nothing is imported before it is
asked for, and only what stands in these tables can be reached from a settings file: a name that is read from disk can
therefore never import, let alone run, anything else. A program adds its own with `register`.
"""

import difflib
import importlib
from typing import Any

TABLES: dict[str, dict[str, str]] = {
    "models": {
        "halsie": "spikelab.models.halsie:Halsie",
        "compressed_video": "spikelab.models.video:CompressedVideo",
        "convolutional_classifier": "spikelab.models.convolutional_classifier:ConvolutionalClassifier",
        "spiking_classifier": "spikelab.models.classifier:SpikingClassifier",
        "event_classifier": "spikelab.models.event_classifier:EventClassifier",
    },
    "datasets": {
        "roads": "spikelab.datasets.roads.dataset:Roads",
        "camvid": "spikelab.datasets.camvid.dataset:CamVidDriving",
        "ddd17": "spikelab.datasets.ddd17.dataset:DDD17",
        "dsec_semantic": "spikelab.datasets.dsec.semantic:DSECSemantic",
        "mvsec": "spikelab.datasets.mvsec.dataset:MVSEC",
        "drawn_digits": "spikelab.datasets.images.drawn_digits:DrawnDigits",
        "mnist": "spikelab.datasets.images.mnist:MNIST",
        "fashion_mnist": "spikelab.datasets.images.mnist:FashionMNIST",
        "notmnist": "spikelab.datasets.images.mnist:NotMNIST",
        "kmnist": "spikelab.datasets.images.mnist:KMNIST",
        "cifar10": "spikelab.datasets.images.cifar10:CIFAR10",
        "moving_shapes": "spikelab.datasets.videos.moving_shapes:MovingShapes",
        "action_videos": "spikelab.datasets.videos.action_videos:ActionVideos",
        "atis_alphabet": "spikelab.datasets.event_recordings.atis_alphabet:AtisAlphabet",
        "spoken_digits": "spikelab.datasets.spike_trains.spoken_digits:SpokenDigits",
        "nmnist": "spikelab.datasets.event_recordings.nmnist:NMNIST",
        "ncaltech101": "spikelab.datasets.event_recordings.ncaltech101:NCaltech101",
        "ncars": "spikelab.datasets.event_recordings.ncars:NCars",
        "cifar10_dvs": "spikelab.datasets.event_recordings.cifar10_dvs:CIFAR10DVS",
        "asl_dvs": "spikelab.datasets.event_recordings.asl_dvs:ASLDVS",
        "st_mnist": "spikelab.datasets.event_recordings.st_mnist:STMNIST",
        "dvs_gesture": "spikelab.datasets.event_recordings.dvs_gesture:DVSGesture",
        "shd": "spikelab.datasets.spike_trains.heidelberg:SHD",
        "ssc": "spikelab.datasets.spike_trains.heidelberg:SSC",
        "event_folders": "spikelab.datasets.event_recordings.event_folders:EventFolders",
        "tonic": "spikelab.datasets.event_recordings.tonic_recordings:TonicRecordings",
    },
    "event_formats": {
        "evt3": "spikelab.events.formats.prophesee.evt3:EVT3",
        "hdf5": "spikelab.events.formats.hdf5.hdf5:HDF5",
        "prophesee_hdf5": "spikelab.events.formats.hdf5.prophesee_hdf5:PROPHESEE_HDF5",
        "mvsec_hdf5": "spikelab.events.formats.hdf5.mvsec_hdf5:MVSEC_HDF5",
        "e2vid_hdf5": "spikelab.events.formats.hdf5.e2vid_hdf5:E2VID_HDF5",
        "dsec_hdf5": "spikelab.events.formats.hdf5.dsec_hdf5:DSEC_HDF5",
        "ros1": "spikelab.events.formats.ros.ros:ROS1",
        "ros2": "spikelab.events.formats.ros.ros:ROS2",
        "ddd17": "spikelab.events.formats.inivation.ddd17:DDD17",
        "aedat2": "spikelab.events.formats.inivation.aedat2:AEDAT2",
        "aedat3": "spikelab.events.formats.inivation.aedat3:AEDAT3",
        "aedat4": "spikelab.events.formats.inivation.aedat4:AEDAT4",
        "evt2": "spikelab.events.formats.prophesee.evt2:EVT2",
        "evt21": "spikelab.events.formats.prophesee.evt21:EVT21",
        "dat": "spikelab.events.formats.prophesee.dat:DAT",
        "npz": "spikelab.events.formats.tables.npz:NPZ",
        "npy": "spikelab.events.formats.tables.npy:NPY",
        "matlab": "spikelab.events.formats.tables.matlab:MATLAB",
        "text": "spikelab.events.formats.tables.text:TEXT",
        "atis_bin": "spikelab.events.formats.tables.atis_bin:ATIS_BIN",
    },
    "rules": {
        "bptt": "spikelab.learn.rules.bptt:BPTT",
        "truncated_bptt": "spikelab.learn.rules.truncated_bptt:TruncatedBPTT",
        "feedback_alignment": "spikelab.learn.rules.feedback_alignment:FeedbackAlignment",
        "direct_feedback": "spikelab.learn.rules.direct_feedback:DirectFeedback",
        "target_projection": "spikelab.learn.rules.target_projection:TargetProjection",
        "frozen": "spikelab.learn.rules.frozen:Frozen",
        "lls": "spikelab.learn.rules.lls:LLS",
        "ottt": "spikelab.learn.rules.ottt:OTTT",
        "sltt": "spikelab.learn.rules.sltt:SLTT",
        "s_tllr": "spikelab.learn.rules.s_tllr:STLLR",
        "tess": "spikelab.learn.rules.tess:TESS",
        "decolle": "spikelab.learn.rules.decolle:DECOLLE",
        "e_prop": "spikelab.learn.rules.e_prop:EProp",
        "stdp": "spikelab.learn.rules.stdp:STDP",
    },
    "neurons": {
        "if": "spikelab.neurons.integrate_and_fire:IF",
        "lif": "spikelab.neurons.lif:LIF",
        "cuba_lif": "spikelab.neurons.cuba_lif:CubaLIF",
        "li": "spikelab.neurons.li:LI",
        "cuba_li": "spikelab.neurons.cuba_li:CubaLI",
        "integrator": "spikelab.neurons.integrator:Integrator",
        "adaptive_lif": "spikelab.neurons.adaptive_lif:AdaptiveLIF",
        "adex": "spikelab.neurons.adex:AdEx",
        "izhikevich": "spikelab.neurons.izhikevich:Izhikevich",
        "lif_membrane": "spikelab.neurons.lif_membrane:LIFMembrane",
        "exponential_lif": "spikelab.neurons.exponential_lif:ExponentialLIF",
        "quadratic_lif": "spikelab.neurons.quadratic_lif:QuadraticLIF",
        "hodgkin_huxley": "spikelab.neurons.hodgkin_huxley:HodgkinHuxley",
        "resonate_and_fire": "spikelab.neurons.resonate_and_fire:ResonateAndFire",
    },
    "receptors": {
        "delta": "spikelab.neurons.delta_receptor:Delta",
        "exponential_current": "spikelab.neurons.current_receptors:ExponentialCurrent",
        "alpha_current": "spikelab.neurons.current_receptors:AlphaCurrent",
        "exponential_conductance": "spikelab.neurons.conductance_receptors:ExponentialConductance",
        "alpha_conductance": "spikelab.neurons.conductance_receptors:AlphaConductance",
    },
    "wiring": {
        "one_to_one": "spikelab.sim.wiring:OneToOne",
        "all_to_all": "spikelab.sim.wiring:AllToAll",
        "fixed_probability": "spikelab.sim.wiring:FixedProbability",
        "fixed_in_degree": "spikelab.sim.wiring:FixedInDegree",
        "fixed_out_degree": "spikelab.sim.wiring:FixedOutDegree",
        "fixed_total_number": "spikelab.sim.wiring:FixedTotalNumber",
        "distance_dependent": "spikelab.sim.wiring:DistanceDependent",
        "explicit": "spikelab.sim.wiring:Explicit",
    },
    "distributions": {
        "uniform": "spikelab.sim.distributions:Uniform",
        "normal": "spikelab.sim.distributions:Normal",
        "truncated_normal": "spikelab.sim.distributions:TruncatedNormal",
        "log_normal": "spikelab.sim.distributions:LogNormal",
        "exponential": "spikelab.sim.distributions:Exponential",
        "choice": "spikelab.sim.distributions:Choice",
    },
    "inputs": {
        "poisson": "spikelab.sim.inputs:PoissonInput",
        "noise": "spikelab.sim.inputs:NoiseCurrent",
        "steps": "spikelab.sim.inputs:StepCurrent",
    },
    "spike_sources": {
        "poisson": "spikelab.sim.sources:PoissonSource",
        "spike_array": "spikelab.sim.sources:SpikeArray",
    },
    "networks": {
        "vogels_abbott": "spikelab.sim.examples.vogels_abbott:vogels_abbott",
        "brunel": "spikelab.sim.examples.brunel:brunel",
        "izhikevich_2003": "spikelab.sim.examples.izhikevich_2003:izhikevich_2003",
        "microcircuit": "spikelab.sim.examples.microcircuit:microcircuit",
    },
    "engines": {
        "numba": "spikelab.sim.numba_engine.simulation:NumbaSimulation",
        "event_driven": "spikelab.sim.event_driven.engine:EventDrivenSimulation",
        "nest": "spikelab.sim.nest_engine.simulation:NestSimulation",
        "triton": "spikelab.sim.triton_engine.simulation:TritonSimulation",
    },
    "backends": {
        "c99": "spikelab.hw.backends.c99.backend:C99",
        "netx": "spikelab.hw.backends.netx:NETX",
        "npz": "spikelab.hw.backends.npz:NPZ",
    },
    "transformations": {
        "quantise": "spikelab.hw.quantised_model:quantise_model",
    },
    "profiles": {
        "generic": "spikelab.hw.profiles.generic:GENERIC",
        "generic16": "spikelab.hw.profiles.generic:GENERIC_16",
        "loihi": "spikelab.hw.profiles.loihi:LOIHI",
        "loihi_netx": "spikelab.hw.profiles.loihi:LOIHI_NETX",
        "speck": "spikelab.hw.profiles.speck:SPECK",
        "xylo": "spikelab.hw.profiles.xylo:XYLO",
    },
    "integer_neurons": {
        "loihi_lif": "spikelab.hw.neurons.loihi_lif:LOIHI_LIF",
        "loihi_rf": "spikelab.hw.neurons.loihi_resonate:LOIHI_RF",
        "loihi_rf_iz": "spikelab.hw.neurons.loihi_resonate:LOIHI_RF_IZ",
        "loihi_delta": "spikelab.hw.neurons.loihi_sigma_delta:LOIHI_DELTA",
        "loihi_sigma_delta": "spikelab.hw.neurons.loihi_sigma_delta:LOIHI_SIGMA_DELTA",
        "xylo_hidden": "spikelab.hw.neurons.xylo:XYLO_HIDDEN",
        "xylo_readout": "spikelab.hw.neurons.xylo:XYLO_READOUT",
        "speck_if": "spikelab.hw.neurons.speck:SPECK_IF",
        "generic_lif_16": "spikelab.hw.neurons.generic:GENERIC_LIF_16",
        "generic_lif_32": "spikelab.hw.neurons.generic:GENERIC_LIF_32",
        "generic_cuba_lif_16": "spikelab.hw.neurons.generic:GENERIC_CUBA_LIF_16",
        "generic_cuba_lif_32": "spikelab.hw.neurons.generic:GENERIC_CUBA_LIF_32",
        "generic_li_16": "spikelab.hw.neurons.generic:GENERIC_LI_16",
        "generic_li_32": "spikelab.hw.neurons.generic:GENERIC_LI_32",
        "generic_cuba_li_16": "spikelab.hw.neurons.generic:GENERIC_CUBA_LI_16",
        "generic_cuba_li_32": "spikelab.hw.neurons.generic:GENERIC_CUBA_LI_32",
    },
    "plasticity": {
        "pair_stdp": "spikelab.sim.plasticity.pair_stdp:PairSTDP",
        "nearest_pair_stdp": "spikelab.sim.plasticity.nearest_pair_stdp:NearestPairSTDP",
        "multiplicative_stdp": "spikelab.sim.plasticity.soft_bound_stdp:MultiplicativeSTDP",
        "power_law_stdp": "spikelab.sim.plasticity.soft_bound_stdp:PowerLawSTDP",
        "triplet_stdp": "spikelab.sim.plasticity.triplet_stdp:TripletSTDP",
        "nearest_triplet_stdp": "spikelab.sim.plasticity.triplet_stdp:NearestTripletSTDP",
        "inhibitory_stdp": "spikelab.sim.plasticity.inhibitory_stdp:InhibitorySTDP",
        "hebbian": "spikelab.sim.plasticity.hebbian:Hebbian",
        "oja": "spikelab.sim.plasticity.oja:Oja",
        "reward_modulated_stdp": "spikelab.sim.plasticity.reward_modulated_stdp:RewardModulatedSTDP",
        "three_factor_hebbian": "spikelab.sim.plasticity.three_factor_hebbian:ThreeFactorHebbian",
        "homeostatic_scaling": "spikelab.sim.plasticity.homeostatic_scaling:HomeostaticScaling",
        "tsodyks_markram": "spikelab.sim.plasticity.tsodyks_markram:TsodyksMarkram",
    },
    "targets": {
        "loihi1": "spikelab.hw.targets:loihi1",
        "loihi2": "spikelab.hw.targets:loihi2",
        "speck": "spikelab.hw.targets:speck",
        "xylo_audio2": "spikelab.hw.targets:xylo_audio2",
        "xylo_audio3": "spikelab.hw.targets:xylo_audio3",
        "cortex_m0_stm32l072": "spikelab.hw.targets:cortex_m0_stm32l072",
        "cortex_m4_nrf52840": "spikelab.hw.targets:cortex_m4_nrf52840",
        "cortex_m7_stm32h743": "spikelab.hw.targets:cortex_m7_stm32h743",
    },
    "continual_methods": {
        "sequential": "spikelab.learn.continual.sequential:Sequential",
        "joint": "spikelab.learn.continual.sequential:Joint",
        "hlop": "spikelab.learn.continual.hlop:HLOP",
        "gpm": "spikelab.learn.continual.gpm:GPM",
        "ewc": "spikelab.learn.continual.ewc:EWC",
        "online_ewc": "spikelab.learn.continual.ewc:OnlineEWC",
        "si": "spikelab.learn.continual.si:SI",
        "a_gem": "spikelab.learn.continual.a_gem:AGEM",
        "replay": "spikelab.learn.continual.replay:Replay",
        "ella_penalty": "spikelab.learn.continual.ella:EllaPenalty",
        "ella": "spikelab.learn.continual.ella:Ella",
    },
    "streams": {
        "permuted": "spikelab.learn.continual.permuted:permuted",
        "split": "spikelab.learn.continual.split:split",
        "several": "spikelab.learn.continual.several:several",
    },
    "tasks": {
        "segmentation": "spikelab.learn.segmentation:SegmentationTask",
        "classification": "spikelab.learn.classification:ClassificationTask",
    },
}

#: What the literature calls things that stand in a table under another name.
SYNONYMS = {
    "backprop": "bptt",
    "backpropagation": "bptt",
    "bp": "bptt",
    "dfa": "direct_feedback",
    "drtp": "target_projection",
    "fa": "feedback_alignment",
    "agem": "a_gem",
    "naive": "sequential",
    "multitask": "joint",
    "fine_tuning": "sequential",
}


class UnknownNameError(KeyError):
    """A name that stands in no table; the message lists the known ones and the closest."""

    def __str__(self) -> str:
        return str(self.args[0])


def suggestion(name: str, known: list[str]) -> str:
    """The tail of an error message about a mistyped name: the closest known name if there is one, then all of them."""
    meant = SYNONYMS.get(name.lower())
    close = [meant] if meant in known else difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return (f"did you mean {close[0]!r}? " if close else "") + f"Known: {', '.join(sorted(known))}"


def register(kind: str, name: str, place: str) -> None:
    """Give a name to something of your own, for this process; call it before the name is used.

    Args:
        kind: A key of `TABLES`, such as "rules".
        name: A name that is not taken.
        place: Where it is, "module:attribute"; nothing is imported yet.

    Raises:
        UnknownNameError: If there is no such kind.
        ValueError: If the name is taken by something else, or the place is not of that form.
    """
    if place.count(":") != 1 or not all(part.isidentifier() for part in place.replace(":", ".").split(".")):
        raise ValueError(f"{kind}: {name!r}: {place!r} is no place; write module:attribute, such as my_rules:MyRule")
    if name in names(kind) and TABLES[kind][name] != place:
        raise ValueError(f"{kind}: {name!r} is taken by {TABLES[kind][name]}; choose another name")
    TABLES[kind][name] = place


def names(kind: str) -> list[str]:
    """All registered names of a kind, sorted.

    Args:
        kind: A key of `TABLES`, such as "models".

    Raises:
        UnknownNameError: If there is no such kind.
    """
    if kind not in TABLES:
        raise UnknownNameError(f"no registry of {kind!r}; {suggestion(kind, list(TABLES))}")
    return sorted(TABLES[kind])


def load(kind: str, name: str) -> Any:
    """Import and return what is registered under a name.

    Args:
        kind: A key of `TABLES`, such as "models".
        name: A name in that table, such as "halsie".

    Raises:
        UnknownNameError: If the kind or the name is unknown; it lists the known ones and the closest match.
        ImportError: If the module that holds it, or something which that module needs, is not installed.
    """
    known = names(kind)
    if name not in known:
        raise UnknownNameError(f"{kind}: unknown name {name!r}; {suggestion(name, known)}")
    module, attribute = TABLES[kind][name].split(":")
    return getattr(importlib.import_module(module), attribute)
