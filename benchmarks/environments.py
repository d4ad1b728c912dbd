"""Makes one Python environment a peer, since frameworks disagree on what they need.

    python -m benchmarks.environments            all of them
    python -m benchmarks.environments norse      one

Each lies in ``.venv-peers/<name>`` with the same pinned torch as the checkout's own (constraints.txt). A peer itself is
installed without its declared dependencies; the requirements file beside its adapter lists what its neurons import. So
hardware drivers, example data sets and packages without a build for the pinned torch stay out.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.peers import PEERS, Peer

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv-peers"
CONSTRAINTS = ROOT / "constraints.txt"


class NotInstalled(RuntimeError):
    """A peer's environment is missing, out of date or could not be made; the message says what to do."""


def requirements(peer: Peer) -> Path:
    """The file that lists what the peer imports."""
    return Path(__file__).parent / "peers" / f"{peer.name}.txt"


def interpreter(peer: Peer) -> Path:
    """The Python that runs the peer: this one, or that of its environment.

    Raises:
        NotInstalled: if the environment is missing or was made for other versions.
    """
    if not peer.package:
        return Path(sys.executable)
    if not is_ready(peer):
        raise NotInstalled(
            f"{peer.name}: no environment with {peer.package} in {FOLDER / peer.name}; 'make bench' makes all (4 GB), "
            f"'python -m benchmarks.environments {peer.name}' this one"
        )
    return _python(FOLDER / peer.name)


def is_ready(peer: Peer) -> bool:
    """Whether the peer can run as its files ask for now."""
    if not peer.package:
        return True
    mark = FOLDER / peer.name / "ready"
    return mark.is_file() and mark.read_text() == _fingerprint(peer)


def make(peer: Peer, say: Callable[[str], object] = print) -> None:
    """Makes or renews the peer's environment; does nothing where it is up to date.

    Raises:
        NotInstalled: if pip fails; the message holds the end of what it said.
    """
    if is_ready(peer):
        return
    say(f"{peer.name}: installing {peer.package} into {FOLDER / peer.name}")
    folder = FOLDER / peer.name
    _run(peer, [sys.executable, "-m", "venv", "--clear", str(folder)])
    pip = [str(_python(folder)), "-m", "pip", "install", "--quiet"]
    _run(peer, [*pip, "--constraint", str(CONSTRAINTS), "--requirement", str(requirements(peer))])
    _run(peer, [*pip, "--no-deps", peer.package])
    (folder / "ready").write_text(_fingerprint(peer))


def _run(peer: Peer, command: list[str]) -> None:
    # PYTHONPATH and the like of the calling shell must not leak into the environment
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=kept)
    if done.returncode:
        raise NotInstalled(f"{peer.name}: {' '.join(command)} failed:\n{done.stdout[-2000:]}")


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _fingerprint(peer: Peer) -> str:
    parts = [peer.package, requirements(peer).read_text(), CONSTRAINTS.read_text(), sys.version]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    with_environment = [name for name, peer in PEERS.items() if peer.package]
    parser = argparse.ArgumentParser(description="Make the environments of the frameworks to compare with.")
    parser.add_argument("peers", nargs="*", metavar="peer", help=f"all by default: {', '.join(with_environment)}")
    names = parser.parse_args(arguments).peers or with_environment
    if unknown := [name for name in names if name not in with_environment]:
        parser.error(f"unknown peer {', '.join(unknown)}; known are {', '.join(with_environment)}")
    for name in names:
        try:
            make(PEERS[name])
        except NotInstalled as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print(f"{name}: ready")
    return 0


if __name__ == "__main__":
    sys.exit(main())
