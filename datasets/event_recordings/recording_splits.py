"""Taking a split out of recordings that nobody has divided."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Drawn = Literal["last", "random"]


def taken_out(labels: npt.NDArray[np.int64], share: float, drawn: Drawn, seed: list[int]) -> npt.NDArray[np.bool_]:
    """Of each class the share of its recordings that is taken out, at least one of two or more.

    Args:
        labels: of the recordings, `[N]`, in the order of their names.
        share: from 0 to less than 1.
        drawn: ``"last"`` takes the last ones of each class, ``"random"`` any.
        seed: of the choice.

    Returns:
        Which recordings are taken out, `[N]`.
    """
    out = np.zeros(len(labels), np.bool_)
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        # the small term is for shares such as 0.29, of which a hundred are not quite 29
        count = min(max(int(share * len(places) + 1e-6), 1), len(places) - 1) if share > 0 else 0
        if drawn == "random":
            places = np.random.default_rng([*seed, int(label)]).permutation(places)
        out[places[len(places) - count :]] = True
    return out


def check_share(name: str, option: str, share: float) -> None:
    """Refuse what is no share.

    Raises:
        ValueError: if it is below 0, or 1 or more.
    """
    if not 0.0 <= share < 1.0:
        raise ValueError(f"{name}: {option} is {share}, must be a share from 0 to less than 1")
