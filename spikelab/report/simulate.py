"""The `spikelab simulate` command: a network from a file or an example, run, recorded and drawn."""

from __future__ import annotations

import importlib.util
import inspect
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikelab import registry
from spikelab.io.settings_file import SettingsError
from spikelab.report.tables import render
from spikelab.settings_simulation import Simulate
from spikelab.sim.description import read_network
from spikelab.sim.network import Network
from spikelab.sim.turns import SimulationInterrupted
from spikelab.sim.units import si

logger = logging.getLogger("spikelab.simulate")


def simulate(settings: Simulate) -> dict[str, Any]:
    """Runs a network.

    Returns:
        `network`, `biological_seconds`, `seconds` (compile, run), `threads`, `synapses`, `spikes`, `rates`: population
        -> Hz, of this run; `files`; with a report `groups`: name -> measures since the beginning.

    Raises:
        SettingsError: for an option that the example does not have.
        ValueError: if the network cannot be built.
        ImportError: if a library that the report needs is not installed.
        SimulationInterrupted: after Ctrl-C; the state is in the checkpoint, if there is one.
    """
    if settings.report:
        _check_libraries()
    network, duration = _build(settings)
    with network:
        return _run(network, float(si(duration, "s", "duration")), settings)


def _run(network: Network, wanted: float, settings: Simulate) -> dict[str, Any]:
    """Runs a network until a time, and tells what came of it."""
    name = Path(settings.run).stem
    folder = Path(settings.folder or Path("runs") / name)
    folder.mkdir(parents=True, exist_ok=True)
    state = Path(settings.checkpoint) if settings.checkpoint else None
    monitors = {
        each: network.record_spikes(network.populations[each], file=settings.record) for each in network.populations
    }
    if state is not None and state.exists():
        network.restore(state)
        logger.info("goes on at %g s", network.time)
        if network.time >= wanted:
            logger.info("that is all of the %g s that are asked for; a longer --duration goes on", wanted)
    left = max(0.0, wanted - network.time)
    try:
        run = network.run(left, engine=settings.engine, threads=settings.threads or None, progress=True)
    except SimulationInterrupted:
        if state is not None:
            network.save(state)
            raise SimulationInterrupted(
                f"stopped at {network.time:g} s; {state} holds the state: the same command goes on"
            ) from None
        raise
    if state is not None:
        network.save(state)
    figures: dict[str, Any] = {
        "network": settings.run,
        "biological_seconds": run["biological_seconds"],
        "seconds": {"compile": run["compile_seconds"], "run": run["run_seconds"]},
        "threads": run["threads"],
        "synapses": sum(network.synapses(each).count for each in network.projections),
        "spikes": run["spikes"],
        "rates": {
            each: len(monitor) / max(1, monitor.group.size) / max(network.time, 1e-12)
            for each, monitor in monitors.items()
        },
        "files": [],
    }
    if settings.report and network.time > 0:
        from spikelab.report.activity.page import activity_report

        found = activity_report(network, folder, title=f"{name}, {network.time:g} s")
        figures |= {"groups": found.get("groups", {}), "files": found["files"]}
    return figures


def simulated(figures: Mapping[str, Any]) -> str:
    """What the command prints."""
    seconds = figures["seconds"]
    lines = [
        f"{figures['network']}: {figures['biological_seconds']:g} s of {figures['synapses']:,} synapses in "
        f"{seconds['run']:.2f} s ({seconds['compile']:.1f} s to compile), {figures['spikes']:,} spikes, "
        f"{figures['threads']} thread{'s' if figures['threads'] > 1 else ''}"
    ]
    if figures.get("groups"):
        groups = figures["groups"]
        names = list(dict.fromkeys(key for each in groups.values() for key in each))
        rows = [[name.replace("_", " "), *(_short(each.get(name)) for each in groups.values())] for name in names]
        lines.append(render(["measure", *groups], rows))
    else:
        lines.append(render(["population", "Hz"], [[name, f"{rate:.2f}"] for name, rate in figures["rates"].items()]))
    lines += [f"wrote {path}" for path in figures["files"] if path.endswith(".html")]
    return "\n".join(lines)


def _short(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _check_libraries() -> None:
    for library in ("scipy", "elephant"):
        if importlib.util.find_spec(library) is None:
            raise ImportError(
                f"the report needs {library}: pip install 'spikelab[analysis]', or leave it out with --report false"
            )


def _build(settings: Simulate) -> tuple[Network, Any]:
    """The network, and the duration to run it for."""
    changes = {name: value for name in ("seed", "dtype") if (value := getattr(settings, name)) is not None}
    if settings.run.endswith(".toml"):
        if settings.options:
            raise SettingsError(
                f"--options.{next(iter(settings.options))}: a file takes no options; edit {settings.run}"
            )
        network, duration = read_network(settings.run, **changes)
        return network, settings.duration or duration or 1.0
    if settings.run not in registry.names("networks"):
        known = registry.suggestion(settings.run, registry.names("networks"))
        raise SettingsError(f"{settings.run!r} is neither a .toml file nor an example; {known}")
    build = registry.load("networks", settings.run)
    known_options = list(inspect.signature(build).parameters)
    for option in settings.options:
        if option not in known_options:
            hint = registry.suggestion(option, known_options)
            raise SettingsError(f"--options.{option}: {settings.run} has no such argument; {hint}")
    return build(**{**changes, **settings.options}), settings.duration or 1.0
