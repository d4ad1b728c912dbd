"""A network as a TOML file: the same words as in Python, quantities as text such as "20 ms".

[network]
dt = "0.1 ms"
seed = 1
duration = "1 s"

[populations.cells]
size = 4000
neuron = "lif_membrane"
refractory = "5 ms"
parameters = { tau_mem = "20 ms", v_threshold = "-50 mV" }
initial = { v = { distribution = "uniform", low = "-60 mV", high = "-50 mV" } }
receptors.excitatory = { model = "exponential_current", tau_syn = "5 ms" }

[[projections]]
source = "cells[:3200]"
target = "cells"
wiring = { rule = "fixed_probability", p = 0.02 }
receptor = "excitatory"
weight = "16.2 pA"
delay = "1.5 ms"

[[inputs]]
target = "cells"
receptor = "excitatory"
input = { kind = "poisson", rate = "1 kHz", weight = "2 pA" }
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from spikelab import registry
from spikelab.io.settings_file import load_toml
from spikelab.sim.choices import Receptor, check_names
from spikelab.sim.network import Network
from spikelab.sim.population import Group


class DescriptionError(ValueError):
    """A network file that cannot be understood; names the file and the place in it."""


def read_network(path: str | os.PathLike[str], **changes: Any) -> tuple[Network, float | str | None]:
    """Builds the network of a TOML file.

    Args:
        path: the file.
        **changes: entries of its table ``network`` to take instead, such as ``seed=3``.

    Returns:
        the network, and the duration that the file asks for.

    Raises:
        DescriptionError: for an unknown entry, name or value; says where.
        OSError: if the file cannot be read.
    """
    return _Reader(str(path), load_toml(path)).network(changes)


class _Reader:
    def __init__(self, path: str, document: dict[str, Any]):
        self._path, self._document = path, document

    def network(self, changes: Mapping[str, Any]) -> tuple[Network, float | str | None]:
        document = self._document
        self._known("the file", document, ["network", "populations", "sources", "projections", "inputs"])
        top = {**document.get("network", {}), **changes}
        self._known("[network]", top, ["dt", "seed", "dtype", "duration"])
        duration = top.pop("duration", None)
        network = self._at("[network]", lambda: Network(**top))
        for name, entry in document.get("populations", {}).items():
            self._population(network, name, dict(entry))
        for name, entry in document.get("sources", {}).items():
            self._source(network, name, dict(entry))
        for place, entry in enumerate(document.get("projections", [])):
            self._projection(network, f"[[projections]] number {place + 1}", dict(entry))
        for place, entry in enumerate(document.get("inputs", [])):
            self._input(network, f"[[inputs]] number {place + 1}", dict(entry))
        return network, duration

    def _population(self, network: Network, name: str, entry: dict[str, Any]) -> None:
        where = f"[populations.{name}]"
        known = [
            "size",
            "neuron",
            "receptors",
            "refractory",
            "initial",
            "method",
            "reset",
            "bias",
            "sign",
            "parameters",
        ]
        self._known(where, entry, known)
        self._needs(where, entry, ["size", "neuron"])
        parameters = {key: self._value(where, value) for key, value in entry.pop("parameters", {}).items()}
        initial = {key: self._value(where, value) for key, value in entry.pop("initial", {}).items()}
        receptors = {}
        for receptor, choice in entry.pop("receptors", {}).items():
            self._needs(f"{where} receptor {receptor}", choice, ["model"])
            values = {key: self._value(where, value) for key, value in choice.items() if key != "model"}
            receptors[receptor] = self._at(where, partial(Receptor, choice["model"], **values))
        if "bias" in entry:
            entry["bias"] = self._value(where, entry["bias"])
        size, neuron = entry.pop("size"), entry.pop("neuron")
        self._at(
            where,
            lambda: network.population(name, size, neuron, receptors=receptors, initial=initial, **entry, **parameters),
        )

    def _source(self, network: Network, name: str, entry: dict[str, Any]) -> None:
        where = f"[sources.{name}]"
        self._known(where, entry, ["size", "source", "sign"])
        self._needs(where, entry, ["size", "source"])
        source = self._choice(where, "spike_sources", "kind", entry["source"])
        self._at(where, lambda: network.source(name, entry["size"], source, sign=entry.get("sign", "")))

    def _projection(self, network: Network, where: str, entry: dict[str, Any]) -> None:
        self._known(where, entry, ["source", "target", "wiring", "receptor", "weight", "delay", "plasticity"])
        self._needs(where, entry, ["source", "target", "wiring", "receptor", "weight"])
        source, target = self._group(network, where, entry["source"]), self._group(network, where, entry["target"])
        wiring = self._choice(where, "wiring", "rule", entry["wiring"])
        names = [name for name in ("weight", "delay") if name in entry]
        values: dict[str, Any] = {name: self._value(where, entry[name]) for name in names}
        if "plasticity" in entry:
            from spikelab.sim.plasticity.choice import Plasticity

            rule = dict(entry["plasticity"])
            self._needs(f"{where} plasticity", rule, ["rule"])
            name = rule.pop("rule")
            values["plasticity"] = self._at(where, lambda: Plasticity(name, **rule))
        self._at(where, lambda: network.projection(source, target, wiring, receptor=entry["receptor"], **values))

    def _input(self, network: Network, where: str, entry: dict[str, Any]) -> None:
        self._known(where, entry, ["target", "receptor", "input"])
        self._needs(where, entry, ["target", "input"])
        target = self._group(network, where, entry["target"])
        drive = self._choice(where, "inputs", "kind", entry["input"])
        self._at(where, lambda: network.input(target, drive, receptor=entry.get("receptor", "current")))

    # ------------------------------------------------------------------------------------------------------ pieces

    def _group(self, network: Network, where: str, text: Any) -> Group:
        match = re.fullmatch(r"\s*(\w+)\s*(?:\[\s*(\d*)\s*:\s*(\d*)\s*\])?\s*", str(text))
        if match is None:
            raise DescriptionError(
                f"{self._path}: {where}: {text!r}: name a population, or a range such as cells[:100]"
            )
        name, first, last = match.groups()
        if name not in network.populations:
            hint = registry.suggestion(name, list(network.populations))
            raise DescriptionError(f"{self._path}: {where}: no population {name!r}; {hint}")
        return network.populations[name][int(first) if first else None : int(last) if last else None]

    def _value(self, where: str, value: Any) -> Any:
        """A number, text with a unit, a list of numbers, or a distribution."""
        if isinstance(value, dict):
            return self._choice(where, "distributions", "distribution", value)
        return value

    def _choice(self, where: str, table: str, key: str, entry: Any) -> Any:
        """What a registry table holds under ``entry[key]``, made with the other entries."""
        if not isinstance(entry, dict) or key not in entry:
            example = registry.names(table)[0]
            raise DescriptionError(
                f"{self._path}: {where}: {entry!r}: give a table with {key}, such as {key} = {example!r}"
            )
        values = {name: self._value(where, value) for name, value in entry.items() if name != key}
        make = self._at(where, lambda: registry.load(table, entry[key]))
        known = list(inspect.signature(make).parameters)
        self._at(where, lambda: check_names(values, known, str(entry[key]), "entry"))
        return self._at(where, lambda: make(**values))

    def _known(self, where: str, entry: Mapping[str, Any], known: list[str]) -> None:
        self._at(where, lambda: check_names(entry, known, where, "entry"))

    def _needs(self, where: str, entry: Any, names: list[str]) -> None:
        missing = [name for name in names if not isinstance(entry, dict) or name not in entry]
        if missing:
            raise DescriptionError(f"{self._path}: {where}: {missing[0]!r} is missing")

    def _at(self, where: str, make: Callable[[], Any]) -> Any:
        """Makes something, and tells the place in the file if that fails."""
        try:
            return make()
        except (TypeError, ValueError, registry.UnknownNameError) as error:
            raise DescriptionError(f"{self._path}: {where}: {error}") from error
