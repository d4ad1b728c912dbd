"""Nothing is timed before its output is right."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.cases import Case
from benchmarks.peers import OURS, PLAIN, Peer
from benchmarks.session import Session

#: Fraction of spikes, or relative error of the network's logits, in which float32 may differ from float64: a membrane
#: that comes within rounding of the threshold may fall on either side, and then goes its own way for a while.
DIFFERING = {"lif": 1e-4, "linear_lif": 1e-3, "convolutional": 2e-2, "halsie": 2e-2, "video": 2e-2}
#: The same for all gradients together; one such spike changes the gradients around it.
GRADIENT_ERROR = {"lif": 2e-2, "linear_lif": 2e-2, "convolutional": 5e-2, "halsie": 5e-2, "video": 5e-2}
#: In float64 spikelab must give the very spikes of the plain loop.
EXACT = 1e-10


class WrongOutput(RuntimeError):
    """A framework computes something else; the message says by how much."""


def write_truth(plain: Session, case: Case, folder: Path, resets: Iterable[bool]) -> dict[bool, dict[str, Any]]:
    """Runs the plain loop in float64, with a delayed reset (True), without (False), or both.

    Returns:
        delayed -> {"file", "rate"}.
    """
    truth = {}
    for delayed in set(resets):
        file = str(folder / f"expected_{'delayed' if delayed else 'same_step'}.npz")
        truth[delayed] = {"file": file, **plain.ask("expect", case=case.to_json(), file=file, delayed_reset=delayed)}
    return truth


def check(session: Session, case: Case, truth: dict[bool, dict[str, Any]]) -> dict[str, Any]:
    """Compares a framework with the truth.

    Returns:
        "rate", "differing", "gradient_error" (None without the same surrogate).

    Raises:
        WrongOutput: if they differ by more than rounding explains.
    """
    peer: Peer = session.peer
    file = truth[peer.delayed_reset]["file"]
    if peer.name in (OURS, PLAIN):
        double = session.ask("compare", case=case.to_json(), file=file, double=True)
        # the network's logits are sums of products, which may be added up in another order
        _require(peer, case, "float64 output", double["differing"], EXACT if case.has_loss else 0.0)
        _require(peer, case, "float64 gradient", double["gradient_error"], EXACT)
    found = session.ask("compare", case=case.to_json(), file=file)
    _require(peer, case, "output", found["differing"], DIFFERING[case.kind])
    if peer.arctan:
        _require(peer, case, "gradient", found["gradient_error"], GRADIENT_ERROR[case.kind])
    else:
        found["gradient_error"] = None
    return found


def _require(peer: Peer, case: Case, what: str, error: float | None, at_most: float) -> None:
    if error is not None and not error <= at_most:
        raise WrongOutput(
            f"{peer.name}, {case.name}: {what} differs from the plain loop's by {error:.3g} > {at_most:g}"
        )
