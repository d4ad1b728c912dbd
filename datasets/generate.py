"""Fills a cache folder on several cores, shard by shard, so that nothing is lost when it is interrupted."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from tqdm import tqdm

from spikelab.datasets.cache import remove_abandoned


@dataclasses.dataclass(frozen=True)
class ShardTask:
    """One file to make: `make(path, start, stop, **arguments)` writes samples `start` to `stop` to `path`.

    Attributes:
        path: of the file.
        start: first sample.
        stop: one past the last sample.
        make: an importable function (it is called in other processes).
        arguments: more keyword arguments for it.
    """

    path: Path
    start: int
    stop: int
    make: Callable[..., None]
    arguments: dict[str, Any]

    def run(self) -> int:
        """Write the file unless it is there by now; returns its number of samples."""
        if not self.path.is_file():
            self.make(self.path, self.start, self.stop, **self.arguments)
        return self.stop - self.start


def _run(task: ShardTask) -> int:
    return task.run()


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides; shards under way are finished and kept
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Without this, the processes of a parent that was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def generate_shards(
    tasks: Sequence[ShardTask],
    description: str,
    *,
    workers: int | None = None,
    progress: bool = True,
    warm_up: Callable[[], object] | None = None,
    spare: tuple[type[Exception], ...] = (),
) -> list[tuple[ShardTask, Exception]]:
    """Run the tasks whose files are missing.

    What a file holds may depend on its task only, so the bytes are the same whatever the number of processes, and two
    programs that call this at once for the same files do no harm to each other: each skips what the other has
    finished.

    Args:
        tasks: all files of the data set.
        description: of the progress bar.
        workers: processes; None takes all cores, 1 stays in this process.
        progress: show the progress bar on standard error.
        warm_up: called once in this process before others start, so that code is compiled, and its compiled form
            cached, once and not by every process.
        spare: errors that stop their own task only; any other stops all.

    Returns:
        The tasks that such an error stopped, in their order.

    Raises:
        ValueError: if `workers` is less than 1.
        KeyboardInterrupt: after an interruption, when the shards under way are finished; the next call goes on from
            there.
        RuntimeError: if a process died.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}, must be at least 1 (or None for all cores)")
    missing = [task for task in tasks if not task.path.is_file()]
    failed: list[tuple[ShardTask, Exception]] = []
    if not missing:
        return failed
    for folder in {task.path.parent for task in missing}:
        folder.mkdir(parents=True, exist_ok=True)
        remove_abandoned(folder)
    # Programs that fill the same folder at once start in different places, so that they share the work.
    first = os.getpid() % len(missing)
    missing = missing[first:] + missing[:first]
    workers = min(workers or available_cores(), len(missing))
    if multiprocessing.current_process().daemon:
        workers = 1  # such processes (workers of a data loader) may not have children
    if warm_up is not None:
        warm_up()
    total = sum(task.stop - task.start for task in tasks)
    done = total - sum(task.stop - task.start for task in missing)
    with tqdm(total=total, initial=done, desc=description, unit="sample", disable=not progress) as bar:
        if workers == 1:
            for task in missing:
                try:
                    bar.update(task.run())
                except spare as error:
                    failed.append((task, error))
            return sorted(failed, key=lambda each: each[0].start)
        # Spawned, not forked: a fork of a process with running threads (torch, Numba) can hang.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker) as pool:
            try:
                running = {pool.submit(_run, task): task for task in missing}
                for future in as_completed(running):
                    try:
                        bar.update(future.result())
                    except spare as error:
                        failed.append((running[future], error))
            except BrokenProcessPool as error:
                raise RuntimeError(
                    f"{description}: a process that generates the data set died. In a script, put the code that starts "
                    'it under `if __name__ == "__main__":` (processes are spawned and import the script), or use one '
                    "process (workers=1). If the machine is short of memory, use fewer. Finished files are kept."
                ) from error
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    return sorted(failed, key=lambda each: each[0].start)
