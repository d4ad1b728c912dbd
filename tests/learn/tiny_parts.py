"""A data set and a model that train in a second, and a command line that knows them.

Run as a script it is `spikelab` with these two registered under "tiny", on one thread: what the tests start, kill and
start again in processes of their own.
"""

import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

CLASS_NAMES = ("road", "car", "sky")
HEIGHT, WIDTH, BINS = 8, 12, 3


class TinyScenes(Dataset):
    """Three classes in bands; events show two of them, the frame the third one. A tenth of the pixels is ignored."""

    class_names = CLASS_NAMES
    palette = np.array([(128, 64, 128), (0, 0, 142), (70, 130, 180)], dtype=np.uint8)
    ignore_index = 255
    time_bins = BINS
    window = 50_000

    def __init__(
        self, split: str, samples: int = 24, delay: float = 0.0, nan_at: int = -1, label_at: int = -1, flip: float = 0.5
    ):
        if split not in ("train", "validation", "test"):
            raise ValueError(f"split is {split!r}, must be train, validation or test")
        self.split, self.delay, self.nan_at, self.label_at, self.flip = split, delay, nan_at, label_at, flip
        self.samples = samples if split == "train" else min(samples, 10)
        self._offset = {"train": 0, "validation": 1000, "test": 2000}[split]
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def __len__(self):
        return self.samples

    def set_epoch(self, epoch: int) -> None:
        self._epoch.fill_(epoch)

    def conditions(self, index: int) -> tuple[str, ...]:
        return ("dark",) if index % 3 == 0 else ()

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        time.sleep(self.delay)
        generator = np.random.default_rng([7, self._offset + index])
        edges = np.sort(generator.integers(1, WIDTH - 1, size=2))
        columns = np.searchsorted(edges, np.arange(WIDTH), side="right")
        label = np.tile(columns, (HEIGHT, 1))
        events = generator.poisson(0.2, (BINS, 2, HEIGHT, WIDTH)) + 2.0 * np.stack([label == 0, label == 1])
        frame = 0.2 * generator.random((1, HEIGHT, WIDTH)) + 0.7 * (label == 2)
        if self.split == "train" and np.random.default_rng([int(self._epoch), index]).random() < self.flip:
            events, frame, label = events[..., ::-1], frame[..., ::-1], label[..., ::-1]
        events = np.ascontiguousarray(events, dtype=np.float32)
        label = np.where(generator.random(label.shape) < 0.1, 255, label)
        if self.split == "train" and index == self.nan_at:
            events[1, 0, 2, 3] = np.nan
        if self.split == "train" and index == self.label_at:
            label[0, 0] = 17
        return {
            "events": torch.from_numpy(events),
            "frame": torch.from_numpy(np.ascontiguousarray(frame, dtype=np.float32)),
            "label": torch.from_numpy(label.astype(np.int64)),
        }


class TinyNet(nn.Module):
    """A convolution or two, with dropout and batch normalisation: random numbers and buffers to be kept right."""

    def __init__(self, classes: int = 3, width: int = 8, dropout: float = 0.2, batch_norm: bool = True):
        super().__init__()
        self.first = nn.Conv2d(2 * BINS + 1, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width) if batch_norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Conv2d(width, classes, 1)

    @staticmethod
    def options_from_data(dataset) -> dict[str, int]:
        return {"classes": len(dataset.class_names)}

    def forward(self, events: Tensor, frame: Tensor) -> Tensor:
        x = torch.cat([events.flatten(1, 2), frame], 1)
        return self.classifier(self.dropout(torch.relu(self.norm(self.first(x)))))

    def energy(self, batch: dict[str, Tensor]) -> dict[str, object]:
        rate = float(batch["events"].mean())
        return {"spikes": rate, "counted": {"joule": 2.0 * rate}}

    def export(self, folder: Path, height: int, width: int) -> dict[str, object]:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tiny.txt").write_text(f"{height} x {width}\n")
        (folder / "manifest.json").write_text("{}\n")
        return {"sha256": {"tiny.txt": "-"}}


def register(tables: dict[str, dict[str, str]]) -> None:
    tables["models"]["tiny"] = "tiny_parts:TinyNet"
    tables["datasets"]["tiny"] = "tiny_parts:TinyScenes"


def stop_rank_1_at(step: int) -> None:
    """In the second process of a distributed run, ask for a stop at a step."""
    import spikelab.learn.loop as loop

    take_step = loop.train_step

    def train_step(session, network, batch, stop=False):
        wanted = session.processes.rank == 1 and session.progress.step + 1 == step
        return take_step(session, network, batch, stop or wanted)

    loop.train_step = train_step


EMPTY = SimpleNamespace(class_names=CLASS_NAMES, ignore_index=255)

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parent))
    from spikelab import registry
    from spikelab.cli import main

    register(registry.TABLES)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    if int(os.environ.get("STOP_RANK_1_AT", "0")):
        stop_rank_1_at(int(os.environ["STOP_RANK_1_AT"]))
    sys.exit(main())
