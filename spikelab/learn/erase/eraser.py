"""Erases classes from weights, one after the other, and remembers what it erased."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from spikelab.learn.continual.subspace import orthonormal
from spikelab.learn.erase.spectral import literal_eraser, oblique_eraser

Form = Literal["literal", "centred", "oblique"]
FORMS: tuple[str, ...] = get_args(Form)


class ClassEraser:
    """Edits weights [M, N] by W (I - P), class by class.

    Three forms of P:

    * "literal": the paper's, of embeddings as they are. What all classes share, such as the mean firing rate, counts
      as something to retain, and so little is erased.
    * "centred": the same, of embeddings without the mean over all classes.
    * "oblique": takes out the class's mean exactly and leaves the others' exactly (`oblique_eraser`).

    What was erased is kept in a bank, so that edits one after the other do not undo each other. Of the orthogonal
    forms, a later class is erased only in directions that earlier edits left: otherwise products of two projections
    would mix them. The oblique form counts earlier classes among what its projection must not touch.

    Args:
        embeddings: [N, samples]: what the weights get, one column for each sample.
        labels: [samples]: the class of each.
        form: One of the three.
        forget_strength: a of what is to be forgotten.
        retain_strength: a of what is to stay.
        means: Whether a class is one column, its mean, instead of all its samples. The oblique form always takes means.

    Attributes:
        bank: Erased class -> its embeddings [N, K].

    Raises:
        ValueError: For an unknown form, a strength that is not above 0, or embeddings and labels that do not fit.
    """

    def __init__(
        self,
        embeddings: Tensor,
        labels: Tensor,
        form: Form = "oblique",
        forget_strength: float = 1.0,
        retain_strength: float = 1.0,
        means: bool = True,
    ) -> None:
        if form not in FORMS:
            raise ValueError(f"form = {form!r}: must be one of {', '.join(FORMS)}")
        for name, value in (("forget_strength", forget_strength), ("retain_strength", retain_strength)):
            if value <= 0:
                raise ValueError(f"{name} = {value}: must be above 0")
        if embeddings.dim() != 2 or embeddings.shape[1] != len(labels):
            raise ValueError(
                f"embeddings are {list(embeddings.shape)}, and there are {len(labels)} labels: give [N, samples]"
            )
        self.form, self.forget_strength, self.retain_strength = form, forget_strength, retain_strength
        columns = embeddings.double()
        self.classes = [int(label) for label in labels.unique()]
        averages = {each: columns[:, labels == each].mean(1, keepdim=True) for each in self.classes}
        centre = torch.cat(list(averages.values()), 1).mean(1, keepdim=True)
        whole = not means and form != "oblique"
        self.columns = {each: columns[:, labels == each] if whole else averages[each] for each in self.classes}
        if form == "centred":
            self.columns = {each: value - centre for each, value in self.columns.items()}
        self.bank: dict[int, Tensor] = {}

    def projection(self, classes: Sequence[int]) -> Tensor:
        """P [N, N] that erases these classes together, and spares all that are left; the bank gains them.

        Raises:
            ValueError: If there is no such class, it was erased already, or nothing would be left.
        """
        for each in classes:
            if each not in self.columns:
                raise ValueError(
                    f"class {each} has no sample to see it by; the samples are of classes "
                    f"{', '.join(map(str, self.classes))}: give more samples"
                )
            if each in self.bank:
                raise ValueError(f"class {each} was erased already")
        staying = [each for each in self.classes if each not in self.bank and each not in classes]
        if not classes or not staying:
            raise ValueError(f"erasing {list(classes)} leaves {len(staying)} classes; name at least 1 and leave 1")
        forget = torch.cat([self.columns[each] for each in classes], 1)
        retain = torch.cat([self.columns[each] for each in staying], 1)
        if self.form == "oblique":
            found = oblique_eraser(forget, torch.cat([retain, *self.bank.values()], 1))
        else:
            if self.bank:
                basis = orthonormal(torch.cat(list(self.bank.values()), 1).T)
                forget = forget - basis.T @ (basis @ forget)
            found = literal_eraser(forget, retain, self.forget_strength, self.retain_strength)
        for each in classes:
            self.bank[each] = self.columns[each]
        return found

    def erase(self, weight: Tensor, classes: Sequence[int]) -> Tensor:
        """The weights [M, N] without these classes: W (I - P)."""
        exact = weight.detach().double()
        return (exact - exact @ self.projection(classes).to(exact.device)).to(weight.dtype)

    def state(self) -> dict[str, Any]:
        """The bank: name of a class -> its embeddings."""
        return {"bank": {str(each): value for each, value in self.bank.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Puts the bank back."""
        self.bank = {int(each): value.double() for each, value in state["bank"].items()}
