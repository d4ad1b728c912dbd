"""Parameter sweeps: one function at many points, over the cores of a machine or of a cluster, resumable.

    # rates.py
    from spikelab.sim.examples.brunel import brunel

    def rate(g, eta, seed):
        network = brunel(g=g, eta=eta, seed=seed)
        spikes = network.record_spikes(network.populations["cells"])
        network.run(1.0)
        return {"rate": len(spikes) / 10_000, "times": spikes.times}

    # in a notebook or script
    from rates import rate
    from spikelab.sim import sweep

    found = sweep(rate, {"g": [3, 5, 8], "eta": [0.9, 2.0]}, seeds=range(5), folder="rates")
    found.write_csv("rates.csv")

joblib runs the points: on the cores of this machine by default, with Dask or Ray on a cluster:

    with joblib.parallel_config(backend="dask"):
        found = sweep(rate, ..., folder="/shared/rates", workers=200)
"""

from __future__ import annotations

import csv
import inspect
import itertools
import os
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from joblib.parallel import get_active_backend
from numba import config
from tqdm import tqdm

from spikelab.sim.sweep_folder import SweepFolder, as_json, name_of


class SweepInterrupted(KeyboardInterrupt):
    """A sweep stopped on request; the points that are finished are kept, and the same call goes on with the others."""


@dataclass(frozen=True)
class _Point:
    name: str
    parameters: Mapping[str, Any]
    seed: int


@dataclass
class SweepResult:
    """What a sweep found.

    Attributes:
        rows: of each finished point, in order: its name ("point"), parameters, seed and results, arrays left out.
        failed: of each other point: its name, parameters, seed and "error".
        folder: where it all is.
    """

    rows: list[dict[str, Any]]
    failed: list[dict[str, Any]]
    folder: Path
    _names: dict[str, bool] = field(default_factory=dict, repr=False)

    def arrays(self, row: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The arrays that the point of a row returned."""
        return SweepFolder(self.folder).arrays(row["point"]) if self._names.get(row["point"]) else {}

    def write_csv(self, path: str | os.PathLike[str]) -> None:
        """Writes the rows as a table; lists and dicts as JSON is text."""
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)


def sweep(
    function: Callable[..., Mapping[str, Any]],
    parameters: Mapping[str, Iterable[Any]] | Sequence[Mapping[str, Any]],
    *,
    folder: str | os.PathLike[str],
    seeds: Iterable[int] = (0,),
    workers: int | None = None,
    backend: str | None = None,
    threads: int = 1,
    progress: bool = True,
) -> SweepResult:
    """Calls ``function(**parameters, seed=seed)`` at every point that is not finished yet, and gathers all results.

    Results are written to the folder when a point is finished, under a name made of the function's name, the parameters
    and the seed: the same call later runs only what is missing. The function's *code* is not part of the name: after
    changing it take another folder. A point that raises is written down with its traceback and tried again by the next
    call.

    Args:
        function: builds and runs a network; returns a dict of numbers, text, lists (written as JSON) and arrays (as
            NPZ). Workers have to be able to import it, so define it in a module.
        parameters: name -> values, of which every combination is a point; or the points themselves.
        folder: where results are; on a cluster, one that all workers see under this name.
        seeds: each point is run with each of them.
        workers: how many at once; by default what joblib is configured for, or all cores.
        backend: of joblib ("loky", "threading", "dask", "ray"); by default the one of ``joblib.parallel_config``, or
            loky.
        threads: for numba and torch in each worker. A network gives the same results on any number.
        progress: whether to show a progress bar.

    Raises:
        ValueError: for a function that workers cannot find by its name.
        TypeError: if it does not take the parameters, or these cannot be written to a file.
        RuntimeError: if workers cannot import it.
        SweepInterrupted: on Ctrl-C; finished points are kept.
    """
    name = _checked_name(function)
    points = _points(function, name, parameters, seeds)
    store = SweepFolder(folder)
    missing = [point for point in points if store.finished(point.name) is None]
    if missing:
        try:
            _run(function, name, missing, store, workers, backend, threads, progress)
        except KeyboardInterrupt as error:
            done = sum(store.finished(point.name) is not None for point in points)
            raise SweepInterrupted(
                f"stopped: {done} of {len(points)} points are finished and kept in {store.path}; the same call goes on"
            ) from error
    return _gathered(points, store)


def _checked_name(function: Callable[..., Any]) -> str:
    """The function's name, under which workers find it."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not module or not name or "<" in name:
        raise ValueError(
            f"sweep: {name or function!r} has no name under which workers could import it: define it with def at the "
            f"top of a module, not within another function, as a lambda or a partial; pass constants as parameters"
        )
    return f"{module}:{name}"


def _points(
    function: Callable[..., Any],
    name: str,
    parameters: Mapping[str, Iterable[Any]] | Sequence[Mapping[str, Any]],
    seeds: Iterable[int],
) -> list[_Point]:
    if isinstance(parameters, Mapping):
        for key, values in parameters.items():
            if isinstance(values, str) or not isinstance(values, Iterable):
                raise TypeError(f"sweep: {key} takes a list of values, got {values!r}; write [{values!r}]")
        lists = [list(values) for values in parameters.values()]
        combinations = [dict(zip(parameters, each, strict=True)) for each in itertools.product(*lists)]
    else:
        combinations = [dict(each) for each in parameters]
    if not isinstance(seeds, Iterable):
        raise TypeError(f"sweep: seeds takes a list of seeds, got {seeds!r}; write [{seeds!r}] or range({seeds!r})")
    found: dict[str, _Point] = {}
    chosen = [int(seed) for seed in seeds]
    for combination in combinations:
        if "seed" in combination:
            raise ValueError("sweep: 'seed' is no parameter; give seeds=[...]")
        for key, value in combination.items():
            as_json(value, f"sweep: parameter {key!r}")
        for seed in chosen:
            try:
                inspect.signature(function).bind(**combination, seed=seed)
            except TypeError as error:
                raise TypeError(f"sweep: {name} cannot be called with {combination} and a seed: {error}") from error
            point = _Point(name_of(name, combination, seed), combination, seed)
            found[point.name] = point
    return list(found.values())


def _run(
    function: Callable[..., Any],
    name: str,
    points: list[_Point],
    store: SweepFolder,
    workers: int | None,
    backend: str | None,
    threads: int,
    progress: bool,
) -> None:
    with _configured(workers, backend, threads), _threads(threads):
        active, jobs = get_active_backend()
        streams = getattr(active, "supports_return_generator", False)
        parallel = joblib.Parallel(
            n_jobs=-1 if jobs is None else jobs,
            batch_size=1,
            pre_dispatch="2*n_jobs",
            return_as="generator_unordered" if streams else "list",
        )
        job = joblib.delayed(_run_point)
        tasks = (job(function, name, point, store.path, threads, os.getpid()) for point in points)
        try:
            with tqdm(parallel(tasks), total=len(points), unit="point", disable=not progress) as bar:
                failed = 0
                for ok in bar:
                    failed += not ok
                    bar.set_postfix(failed=failed, refresh=False)
        except Exception as error:
            raise RuntimeError(
                f"sweep: the workers could not run {name} ({type(error).__name__}: {error}). They have to import it: "
                f"keep it in an installed package or a file beside the script, define nothing it needs elsewhere, "
                f"and pass only parameters that can be sent to another process. Finished points are kept in "
                f"{store.path}"
            ) from error


def _configured(workers: int | None, backend: str | None, threads: int) -> Any:
    """The configuration of joblib as it is, with what was given here."""
    chosen: dict[str, Any] = {
        key: value for key, value in (("backend", backend), ("n_jobs", workers)) if value is not None
    }
    active = type(get_active_backend()[0]).__name__
    if backend == "loky" or (backend is None and active == "LokyBackend"):
        # these workers are told by their environment, before they import anything
        chosen.update(backend="loky", inner_max_num_threads=threads)
    return joblib.parallel_config(**chosen)


def _run_point(function: Callable[..., Any], name: str, point: _Point, folder: Path, threads: int, caller: int) -> bool:
    """One point, in a worker: whether it succeeded. Its result is on disk when this returns."""
    store = SweepFolder(folder)
    facts = {"function": name, "parameters": as_json(point.parameters, "parameters"), "seed": point.seed}
    begun = time.perf_counter()
    try:
        # in the caller's own process the number is set already, for all points at once
        with _threads(threads) if os.getpid() != caller else nullcontext():
            result = function(**point.parameters, seed=point.seed)
        store.write(point.name, {**facts, "seconds": time.perf_counter() - begun}, result)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        store.write_failure(point.name, facts, text, traceback.format_exc())
        return False
    return True


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many threads for numba and torch, so that workers do not fight for cores."""
    before = int(config.NUMBA_NUM_THREADS), torch.get_num_threads()  # type: ignore[attr-defined]
    # what everything here goes by; numba's own function would start its threads
    config.NUMBA_NUM_THREADS = min(count, before[0])  # type: ignore[attr-defined]
    torch.set_num_threads(count)
    try:
        yield
    finally:
        config.NUMBA_NUM_THREADS = before[0]  # type: ignore[attr-defined]
        torch.set_num_threads(before[1])


def _gathered(points: list[_Point], store: SweepFolder) -> SweepResult:
    rows, failed, with_arrays = [], [], {}
    for point in points:
        row = {"point": point.name, **as_json(point.parameters, "parameters"), "seed": point.seed}
        found = store.finished(point.name)
        if found is not None:
            rows.append({**row, **found["result"]})
            with_arrays[point.name] = bool(found["arrays"])
        else:
            failure = store.failure(point.name)
            failed.append({**row, "error": failure["error"] if failure else "not run"})
    if failed:
        first = {key: value for key, value in failed[0].items() if key not in ("point", "error")}
        warnings.warn(
            f"{len(failed)} of {len(points)} points failed; the first, {first}: {failed[0]['error']}. Tracebacks are "
            f"in {store.path}/*.failed.json; the same call tries them again",
            stacklevel=3,
        )
    return SweepResult(rows, failed, store.path, with_arrays)
