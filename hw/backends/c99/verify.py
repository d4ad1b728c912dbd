"""Compiles what was written, runs it, and compares every message and state of every step with the simulator."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from spikelab.hw.backends.c99.compiler import CompilerError, build, execute
from spikelab.hw.backends.c99.layout import Plan
from spikelab.hw.backends.c99.plan import C99Error, make_plan
from spikelab.hw.backends.c99.print_driver import pack_events, print_driver, unpack_results
from spikelab.hw.backends.verification import Verification
from spikelab.hw.integer import IntegerRun, simulate
from spikelab.hw.ir import IntegerGraph
from spikelab.hw.neuron import MESSAGE

_OUT_OF_RANGE = 2
_ERRORS = {
    1: "refused the input: indices must rise and messages lie within the declared range",
    _OUT_OF_RANGE: "stopped: a value left the range that was assumed for it ('checked_at_run_time' in the report)",
    10: "could not read its events",
    11: "could not write its results",
}


def verify_c99(
    folder: str | Path,
    graph: IntegerGraph,
    inputs: Mapping[str, np.ndarray],
    compiler: str = "gcc",
    flags: Sequence[str] = (),
    seconds: float = 300,
) -> Verification:
    """Compares the C in a folder with the simulator.

    Args:
        folder: where :func:`write_c99` wrote.
        graph: what was written.
        inputs: input -> messages [T, B, *shape], whole numbers; samples are run one after the other.
        compiler: for this machine.
        flags: for it, such as ("-O2", "-m32") or ("-fsanitize=address,undefined",).
        seconds: limit of time, for the compiler and for the program.

    Returns:
        whether all messages and states of all populations at all steps are equal. They are not where the C code stops
        because a value left the range that was assumed for it.

    Raises:
        C99Error: if the folder holds no such files.
        CompilerError: if they cannot be compiled, or the program fails.
        ValueError: if the inputs do not fit the graph.
    """
    folder = Path(folder)
    plan = make_plan(graph, _name_in(folder))
    expected = simulate(graph, inputs, record=True)
    steps, batch = next(iter(expected.messages.values())).shape[:2] if expected.messages else (0, 0)
    with tempfile.TemporaryDirectory(prefix="spikelab-c99-") as temporary:
        place = Path(temporary)
        (place / "driver.c").write_text(print_driver(plan))
        (place / "events").write_bytes(pack_events(plan, inputs))
        include = [f"-I{folder}", *flags]
        build(compiler, [place / "driver.c", folder / f"{plan.name}.c"], place / "driver", include, seconds)
        command = [str(place / "driver"), str(place / "events"), str(place / "results")]
        found = execute(command, seconds, f"running {plan.name}.c")
        if found.returncode == _OUT_OF_RANGE:
            return Verification(False, steps * batch, 0, _failure(plan, found.returncode, found.stdout, ""))
        if found.returncode:
            raise CompilerError(_failure(plan, found.returncode, found.stdout, found.stderr))
        content = (place / "results").read_bytes()
    try:
        results = unpack_results(plan, content, steps, batch)
    except ValueError as error:
        raise CompilerError(f"{plan.name}.c wrote {error}") from error
    return compare(plan, results, expected)


def _name_in(folder: Path) -> str:
    found = [path.stem for path in sorted(folder.glob("*.h")) if path.with_suffix(".c").exists()]
    if len(found) != 1:
        raise C99Error(f"{folder}: holds {len(found)} pairs NAME.h, NAME.c, but must hold one; write it with write_c99")
    return found[0]


def _failure(plan: Plan, code: int, said: str, complaint: str) -> str:
    meaning = _ERRORS.get(code, f"ended with {code}")
    at = said.split()
    where = f" at step {at[1]} of sample {at[0]}" if len(at) == 2 else ""
    return f"{plan.name}.c {meaning}{where}" + (f":\n{complaint[-4000:]}" if complaint else "")


def compare(plan: Plan, results: Mapping[str, Mapping[str, np.ndarray]], expected: IntegerRun) -> Verification:
    """Every number against the simulator's; the first difference in the order of time, then of populations."""
    compared = steps = 0
    found: list[tuple[int, int, str]] = []
    for place, name in enumerate(plan.populations):
        for what, ours in results[name].items():
            true = expected.messages[name] if what == MESSAGE else expected.states[name][what]
            true = true.reshape(ours.shape)
            steps = ours.shape[0] * ours.shape[1]
            compared += ours.size
            if not np.array_equal(ours, true):
                step, sample, neuron = (int(k) for k in np.argwhere(ours != true)[0])
                text = (
                    f"population {name!r}, {what} of neuron {neuron} at step {step} of sample {sample}: "
                    f"{int(ours[step, sample, neuron])} in C, {int(true[step, sample, neuron])} in the simulator"
                )
                found.append((step, place, text))
    return Verification(not found, steps, compared, min(found)[2] if found else "")
