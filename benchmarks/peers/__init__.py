"""Who is measured. A peer is one adapter file here, one requirements file beside it, and one line in ``PEERS``.

An adapter has ``build(case)``, which gives a ``torch.nn.Module`` from input [T, B, ...] to output [T, B, ...] that
starts from a fresh state at each call and is written as the framework's own documentation advises. Its dense and
convolutional modules appear in the order in which data meet them, because weights are loaded in that order.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.cases import KINDS, LAYERS


@dataclass(frozen=True)
class Peer:
    """A framework to compare with.

    Attributes:
        name: of the adapter file, and of the environment and its requirements file.
        distribution: whose version is reported.
        version: the version that pip installs; empty for what needs no environment of its own.
        framework: False for spikelab itself and for code that is no framework; only frameworks set the mark.
        delayed_reset: the spike of a step is taken off the membrane one step later.
        arctan: has the arctan surrogate, so that gradients can be compared.
        kinds: the kinds of case that its adapter builds.
    """

    name: str
    distribution: str
    version: str = ""
    framework: bool = True
    delayed_reset: bool = False
    arctan: bool = True
    kinds: tuple[str, ...] = LAYERS

    @property
    def package(self) -> str:
        """What pip installs, pinned; empty for what needs no environment of its own."""
        return f"{self.distribution}=={self.version}" if self.version else ""


OURS = "spikelab_layers"
PLAIN = "plain_torch"
COMPILED = "compiled_torch"
DENSE = "spikelab_dense"

PEERS = {
    peer.name: peer
    for peer in (
        Peer(OURS, "spikelab", framework=False, kinds=KINDS),
        Peer(DENSE, "spikelab", framework=False, kinds=("convolutional", "halsie", "video", "linear_lif")),
        Peer(PLAIN, "torch", framework=False, kinds=KINDS),
        Peer(COMPILED, "torch", framework=False, kinds=LAYERS),
        Peer("snntorch", "snntorch", "1.0.0", delayed_reset=True),
        Peer("norse", "norse", "1.1.0", arctan=False),
        Peer("spikingjelly", "spikingjelly", "2.0.0", kinds=KINDS),
        Peer("sinabs", "sinabs", "3.1.3"),
    )
}
