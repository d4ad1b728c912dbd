"""Who is measured. A peer is one adapter file here, one requirements file beside it, and one line in ``PEERS``.

An adapter has ``build(case)``, which gives a ``torch.nn.Module`` from input [T, B, ...] to output [T, B, ...] that
starts from a fresh state at each call and is written as the framework's own documentation advises. Its dense and
convolutional modules appear in the order in which data meet them, because weights are loaded in that order.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """A framework to compare with.

    Attributes:
        name: of the adapter file, and of the environment and its requirements file.
        package: what pip installs, pinned; empty for what needs no environment of its own.
        framework: False for spikelab itself and for code that is no framework; only frameworks set the mark.
        delayed_reset: the spike of a step is taken off the membrane one step later.
        arctan: has the arctan surrogate, so that gradients can be compared.
    """

    name: str
    package: str = ""
    framework: bool = True
    delayed_reset: bool = False
    arctan: bool = True


OURS = "spikelab_layers"
PLAIN = "plain_torch"

PEERS = {
    peer.name: peer
    for peer in (
        Peer(OURS, framework=False),
        Peer(PLAIN, framework=False),
        Peer("snntorch", "snntorch==1.0.0", delayed_reset=True),
        Peer("norse", "norse==1.1.0", arctan=False),
        Peer("spikingjelly", "spikingjelly==2.0.0"),
        Peer("sinabs", "sinabs==3.1.3"),
    )
}
