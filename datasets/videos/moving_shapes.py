"""Moving shapes: clips of one object with one motion, compressed to real video files, made on first use from a seed.

There is nothing to download. Ten motions and three identities make thirty classes, and neither half of a compressed
video tells them by itself: the I-frames show who it is but not the motion (each group of pictures is a new shot that
begins in the same way whatever the motion), and the motion vectors and luma residuals of the P-frames show the motion
but not the colour (colours have the same luma). So each half alone is right on one in ten, or one in three, at best,
and a model has to use both. See `spikelab.datasets.videos.moving_shapes_render`.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from spikelab.datasets.cache import CacheFileError, cache_folder, settings_digest, write_bytes_atomically
from spikelab.datasets.generate import ShardTask, generate_shards
from spikelab.datasets.videos.moving_shapes_render import CAMERAS, COLOURS, CONTOURS, MOTIONS, draw_clip, render_clip
from spikelab.datasets.videos.samples import Residual, VideoArrays, VideoDataset, check_whole, read_arrays
from spikelab.video.errors import VideoError
from spikelab.video.write import ENCODERS, Codec, encode_video

SPLITS = {"train": 900, "validation": 150, "test": 300}
"""Splits and their default sizes. The clips of different splits are drawn independently."""

Identity = Literal["colour", "contour"]
Label = Literal["joint", "motion", "identity"]
VERSION = 1  # raise it with every change of the code that changes a clip
SHARD = 30  # clips that one list vouches for
RATE = 25.0  # frames per second


@dataclasses.dataclass(frozen=True)
class MovingShapesSettings:
    """Everything that the bytes of a clip depend on, beside its split and its number.

    Attributes:
        identity: what the three identities are: ``"colour"`` (red, green, blue), or ``"contour"`` (disc, square,
            triangle), which both I-frames and residuals show. The other one is random.
        camera: how fast the camera pans, in a random direction: ``"still"``, ``"slow"`` (up to 0.3 pixels a frame) or
            ``"fast"`` (up to 1.5, faster than objects: the motion has to be seen against the background's).
        height: of the picture, pixels.
        width: of the picture, pixels.
        groups: groups of pictures of a clip, each one shot.
        frames: of a group, the I-frame included.
        codec: ``"mpeg4"`` (MPEG-4 part 2, with vectors for blocks of 8 pixels) or ``"h264"``.
        quality: of the codec, see `spikelab.video.write.write_video`; None takes the codec's usual one.
        seed: of the whole data set.

    Raises:
        ValueError: if a value is out of range.
    """

    identity: Identity = "colour"
    camera: str = "slow"
    height: int = 96
    width: int = 96
    groups: int = 2
    frames: int = 12
    codec: Codec = "mpeg4"
    quality: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (("identity", get_args(Identity)), ("camera", tuple(CAMERAS)), ("codec", get_args(Codec))):
            if getattr(self, name) not in known:
                raise ValueError(f"moving_shapes: {name} is {getattr(self, name)!r}, must be one of {', '.join(known)}")
        numbers = {name: getattr(self, name) for name in ("height", "width", "groups", "frames", "seed")}
        check_whole("moving_shapes", **numbers)
        for name in ("height", "width"):
            value = getattr(self, name)
            if not 32 <= value <= 1024 or value % 2:
                raise ValueError(f"moving_shapes: {name} is {value}, must be even and from 32 to 1024 pixels")
        for name, least, most in (("groups", 1, 100), ("frames", 2, 100), ("seed", 0, 1 << 62)):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"moving_shapes: {name} is {getattr(self, name)}, must be from {least} to {most}")
        if self.quality is not None:
            check_whole("moving_shapes", quality=self.quality)
            best, worst = ENCODERS[self.codec][1]
            if not best <= self.quality <= worst:
                raise ValueError(
                    f"moving_shapes: quality is {self.quality}, {self.codec} takes {best} (best) to {worst} (worst)"
                )


def identity_names(identity: Identity) -> tuple[str, ...]:
    """Names of the three identities."""
    return tuple(COLOURS) if identity == "colour" else CONTOURS


def make_pictures(
    settings: MovingShapesSettings, split: str, index: int, *, motion: int | None = None, identity: int | None = None
) -> npt.NDArray[np.uint8]:
    """Render a clip; the result depends on the arguments only.

    Args:
        settings: of the data set.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        index: number of the clip in its split; it gives the class, all of them in turn.
        motion: show the same scene with this motion instead.
        identity: show the same scene with this identity instead.

    Returns:
        uint8 ``[groups * frames, H, W, 3]``.
    """
    own_motion, own_identity = divmod(index % (len(MOTIONS) * 3), 3)
    motion = own_motion if motion is None else motion
    identity = own_identity if identity is None else identity
    rng = np.random.default_rng([settings.seed, list(SPLITS).index(split), index])
    clip = draw_clip(rng, settings.groups, CAMERAS[settings.camera])
    if settings.identity == "colour":
        clip = dataclasses.replace(clip, hue=list(COLOURS.values())[identity])
    else:
        clip = dataclasses.replace(clip, contour=identity)
    return render_clip(clip, MOTIONS[motion], settings.frames, settings.height, settings.width)


def encode_clip(settings: MovingShapesSettings, pictures: npt.NDArray[np.uint8]) -> bytes:
    """Pictures as the bytes of an .mp4 file."""
    return encode_video(
        pictures, settings.codec, settings.frames, settings.quality, RATE, small_blocks=settings.codec == "mpeg4"
    )


class MovingShapes(VideoDataset):
    """Clips of one moving object, as compressed video.

    The clips are rendered and encoded when they are first asked for, on all cores, and kept as .mp4 files in
    ``<cache>/datasets/moving_shapes-<digest of the settings>/``. An interrupted run goes on where it stopped. There is
    no mirror image in training, because left and right are classes.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        label: what is to be recognised: ``"motion"`` (10 classes), ``"identity"`` (3), or ``"joint"`` (all 30 pairs).
        identity: what the identities are, see `MovingShapesSettings`.
        camera: how fast the camera pans, see `MovingShapesSettings`.
        height: of the picture, pixels, even.
        width: of the picture, pixels, even.
        groups: groups of pictures of a clip; a sample has them all.
        frames: of a group, the I-frame included.
        steps: P-frames of each group that a sample shows, the first ones; None takes all.
        accumulate: motion and residual against the I-frame of the group, as in CoViAR; otherwise against the picture
            before.
        residual: ``"luma"``, or ``"rgb"``, which shows some of the colour.
        decoded: show all pictures decoded, each as an I-frame, and neither motion nor residual: for the comparison with
            models that know nothing of compression.
        crop: height and width that are cut out, at a random place in training and from the middle otherwise; None keeps
            the whole picture.
        codec: ``"mpeg4"`` or ``"h264"``.
        quality: of the codec; None takes its usual one.
        samples: how many; None takes the split's default (900, 150, 300). Clip ``i`` is the same whatever the number.
        seed: of the clips, and of the random crops.
        cache: root of the cache; None takes ``$SPIKELAB_CACHE`` or ``~/.cache/spikelab``.
        workers: processes that make clips; None takes all cores.
        progress: show a progress bar while making clips.

    Raises:
        ValueError: if there is no such split, or an argument is out of range.
        CacheFileError: if a file in the cache is damaged; the message says which one.
        OSError: if the cache cannot be written.
    """

    def __init__(
        self,
        split: str,
        *,
        label: Label = "joint",
        identity: Identity = "colour",
        camera: str = "slow",
        height: int = 96,
        width: int = 96,
        groups: int = 2,
        frames: int = 12,
        steps: int | None = None,
        accumulate: bool = True,
        residual: Residual = "luma",
        decoded: bool = False,
        crop: tuple[int, int] | None = None,
        codec: Codec = "mpeg4",
        quality: int | None = None,
        samples: int | None = None,
        seed: int = 0,
        cache: str | Path | None = None,
        workers: int | None = None,
        progress: bool = True,
    ):
        self.settings = MovingShapesSettings(identity, camera, height, width, groups, frames, codec, quality, seed)
        super().__init__("moving_shapes", split, size=(height, width), groups=groups, crop=crop, seed=seed)
        for name, value, known in (("label", label, get_args(Label)), ("residual", residual, get_args(Residual))):
            if value not in known:
                raise ValueError(f"moving_shapes: {name} is {value!r}, must be one of {', '.join(known)}")
        for name, flag in (("accumulate", accumulate), ("decoded", decoded)):
            if not isinstance(flag, bool):
                raise ValueError(f"moving_shapes: {name} is {flag!r}, must be one of True, False")
        samples = SPLITS[split] if samples is None else samples
        check_whole("moving_shapes", samples=samples, **({} if steps is None else {"steps": steps}))
        if samples < 1:
            raise ValueError(f"moving_shapes: samples is {samples}, must be at least 1")
        steps = frames - 1 if steps is None else steps
        if not 1 <= steps < frames:
            raise ValueError(
                f"moving_shapes: steps is {steps}; a group has {frames - 1} P-frames, take 1 to all of them"
            )
        identities = identity_names(identity)
        self.label_kind, self.steps, self.accumulate, self.residual = label, steps, accumulate, residual
        self.decoded = decoded
        self.class_names = {
            "joint": tuple(f"{motion}, {name}" for motion in MOTIONS for name in identities),
            "motion": MOTIONS,
            "identity": identities,
        }[label]
        key = settings_digest({"version": VERSION, "settings": dataclasses.asdict(self.settings)})
        self.folder = cache_folder(f"moving_shapes-{key}", cache)
        tasks = []
        for start in range(0, samples, SHARD):
            stop = min(start + SHARD, samples)
            path = self.folder / f"{split}-{start:06d}-{stop:06d}.json"
            tasks.append(ShardTask(path, start, stop, _make_clips, {"settings": self.settings, "split": split}))
        generate_shards(tasks, f"moving_shapes, {split}", workers=workers, progress=progress, warm_up=_compile_renderer)
        self._lists = [task.path for task in tasks]
        self._length = samples
        for task in tasks:
            _check_clips(task.path, task.stop - task.start, contents=False)

    def __len__(self) -> int:
        return self._length

    def path(self, index: int) -> Path:
        """The video file of a clip."""
        return _clip_path(self.folder, self.split, index % self._length)

    def label(self, index: int) -> int:
        """Number of a clip's class: all classes in turn."""
        motion, identity = divmod(index % (len(MOTIONS) * 3), 3)
        return {"joint": 3 * motion + identity, "motion": motion, "identity": identity}[self.label_kind]

    def available(self, index: int) -> int:
        """Groups of pictures of a clip."""
        return self.settings.groups

    def arrays(self, index: int, groups: Sequence[int]) -> VideoArrays:
        """All groups of pictures of a clip, decoded."""
        path = self.path(index)
        try:
            arrays = read_arrays(
                path, self.steps, residual=self.residual, accumulate=self.accumulate, decoded=self.decoded
            )
        except (VideoError, FileNotFoundError) as error:
            raise CacheFileError(_list_of(self._lists, index), f"a clip that it lists is damaged ({error})") from error
        pictures = self.groups * (1 + self.steps) if self.decoded else self.groups
        if arrays.image.shape != (pictures, 3, *self.size):
            raise CacheFileError(
                _list_of(self._lists, index), f"{path.name}, which it lists, is cut short or no clip of this data set"
            )
        return arrays

    def verify(self) -> None:
        """Read every byte of the cached files and compare it with its checksum.

        Raises:
            CacheFileError: naming the list of the file that has changed, and the remedy.
        """
        for path in self._lists:
            _check_clips(path, None, contents=True)


def _clip_path(folder: Path, split: str, index: int) -> Path:
    return folder / f"{split}-{index:06d}.mp4"


def _list_of(lists: Sequence[Path], index: int) -> Path:
    return lists[index // SHARD]


def _make_clips(path: Path, start: int, stop: int, *, settings: MovingShapesSettings, split: str) -> None:
    """Write clips `start` to `stop` of a split, and then the list that vouches for them."""
    listed = {}
    for index in range(start, stop):
        content = encode_clip(settings, make_pictures(settings, split, index))
        clip = _clip_path(path.parent, split, index)
        write_bytes_atomically(clip, content)
        listed[clip.name] = {"bytes": len(content), "crc32": zlib.crc32(content)}
    write_bytes_atomically(path, json.dumps(listed, indent=1).encode())


def _check_clips(path: Path, count: int | None, *, contents: bool) -> None:
    """Compare the clips of a list with what it says: their sizes, or all their bytes."""
    try:
        listed = json.loads(path.read_bytes())
        expected = {str(name): (int(entry["bytes"]), int(entry["crc32"])) for name, entry in listed.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CacheFileError(path, f"is no list of clips ({type(error).__name__}: {error})") from error
    if count is not None and len(expected) != count:
        raise CacheFileError(path, f"lists {len(expected)} clips, expected {count}")
    for name, (size, checksum) in expected.items():
        clip = path.parent / Path(name).name
        found = clip.stat().st_size if clip.is_file() else None
        if found != size:
            problem = "missing" if found is None else f"cut short or changed ({found} bytes, not {size})"
            raise CacheFileError(path, f"{name}, which it lists, is {problem}")
        if contents and zlib.crc32(clip.read_bytes()) != checksum:
            raise CacheFileError(path, f"{name}, which it lists, does not match its checksum")


def _compile_renderer() -> None:
    """Compile everything that `make_pictures` runs, or load it from Numba's cache."""
    make_pictures(MovingShapesSettings(height=32, width=32), "train", 0)
