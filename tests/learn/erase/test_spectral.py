"""The erasers' algebra: equations by hand, guarantees, sequential edits."""

import pytest
import torch

from spikelab.learn.erase.eraser import ClassEraser
from spikelab.learn.erase.spectral import literal_eraser, oblique_eraser, spectral_projector


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_hand(embeddings, strength):
    covariance = embeddings @ embeddings.T
    values, vectors = torch.linalg.eigh(covariance)
    shares = values.clamp(min=0) / values.sum()
    return vectors @ torch.diag(strength * shares / ((strength - 1) * shares + 1)) @ vectors.T


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0, 5.0])
def test_projector_equals_the_eigendecomposition_of_the_covariance(strength):
    embeddings = draw(12, 5)
    torch.testing.assert_close(spectral_projector(embeddings, strength), by_hand(embeddings, strength))


def test_strength_one_is_the_normalised_covariance_and_a_large_one_a_projector():
    embeddings = draw(12, 5)
    torch.testing.assert_close(
        spectral_projector(embeddings, 1.0), embeddings @ embeddings.T / embeddings.square().sum()
    )
    hard = spectral_projector(embeddings, 1e12)
    torch.testing.assert_close(hard @ hard, hard, atol=1e-6, rtol=0)
    torch.testing.assert_close(hard @ embeddings, embeddings, atol=1e-6, rtol=0)


def test_literal_eraser_spares_what_lies_in_both():
    shared, own = draw(10, 1), draw(10, 1, seed=1)
    own = own - shared * (shared.T @ own) / (shared.T @ shared)
    found = literal_eraser(torch.cat([shared, own], 1), shared, 1e12, 1e12)
    torch.testing.assert_close(found @ shared, torch.zeros(10, 1, dtype=torch.float64), atol=1e-5, rtol=0)
    torch.testing.assert_close(found @ own, own, atol=1e-5, rtol=0)


def test_oblique_eraser_takes_one_and_leaves_the_other_exactly():
    forget, retain = draw(20, 2), draw(20, 7, seed=1)
    found = oblique_eraser(forget, retain)
    torch.testing.assert_close(found @ forget, forget)
    torch.testing.assert_close(found @ retain, torch.zeros_like(retain), atol=1e-12, rtol=0)
    torch.testing.assert_close(found @ found, found)
    with pytest.raises(ValueError, match="lies in the span"):
        oblique_eraser(retain @ draw(7, 1, seed=2), retain)


def samples(classes=4, size=16, each=30):
    """A large common direction, and a smaller one for each class."""
    common, own = 5 * draw(size, 1), draw(size, classes, seed=1)
    labels = torch.arange(classes).repeat_interleave(each)
    return common + own[:, labels] + 0.1 * draw(size, classes * each, seed=2), labels


def test_the_literal_form_spares_what_classes_share_and_centring_helps():
    embeddings, labels = samples()
    weight = draw(4, 16, seed=3)
    left = {}
    for form in ("literal", "centred", "oblique"):
        eraser = ClassEraser(embeddings, labels, form, forget_strength=2.0, retain_strength=1.0)
        mean = embeddings[:, labels == 1].mean(1)
        own = mean - torch.stack([embeddings[:, labels == k].mean(1) for k in range(4)]).mean(0)
        part = mean if form == "oblique" else own
        left[form] = float((eraser.erase(weight, [1]) @ part).norm() / (weight @ part).norm())
    assert left["oblique"] < 1e-10
    assert left["centred"] < 0.7 < left["literal"]


def test_edits_one_after_the_other_keep_each_other():
    embeddings, labels = samples()
    weight = draw(4, 16, seed=3)
    means = {k: embeddings[:, labels == k].mean(1) for k in range(4)}
    eraser = ClassEraser(embeddings, labels, "oblique")
    edited = eraser.erase(eraser.erase(weight, [0]), [2])
    for gone in (0, 2):
        assert (edited @ means[gone]).norm() < 1e-9
    for staying in (1, 3):
        torch.testing.assert_close(edited @ means[staying], weight @ means[staying])
    again = ClassEraser(embeddings, labels, "oblique")
    again.restore(eraser.state())
    with pytest.raises(ValueError, match="erased already"):
        again.erase(weight, [2])


def test_a_later_orthogonal_edit_leaves_what_an_earlier_one_took():
    embeddings, labels = samples()
    eraser = ClassEraser(embeddings, labels, "centred")
    first, second = eraser.projection([0]), eraser.projection([2])
    own = embeddings[:, labels == 0].mean(1) - torch.stack([embeddings[:, labels == k].mean(1) for k in range(4)]).mean(
        0
    )
    assert (second.T @ own).norm() < 1e-9
    assert first.norm() > 0.1 < second.norm()


@pytest.mark.parametrize(
    ("classes", "message"), [([9], "class 9 has no sample"), ([], "name at least 1"), ([0, 1, 2, 3], "leave 1")]
)
def test_what_cannot_be_erased_is_said(classes, message):
    embeddings, labels = samples()
    with pytest.raises(ValueError, match=message):
        ClassEraser(embeddings, labels).projection(classes)
