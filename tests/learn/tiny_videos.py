"""Videos of three classes that only their motion vectors tell apart, as a data set of compressed video gives them."""

import numpy as np
import torch
from torch.utils.data import Dataset


class TinyVideos(Dataset):
    """Blocks of 8 x 8 pixels move left, right or down; the I-frames are noise, and some groups end early."""

    class_names = ("left", "right", "down")

    def __init__(self, split, samples=24, groups=2, frames=4, side=24):
        self.seed = ("train", "validation", "test").index(split)
        self.samples, self.shape, self.side = samples, (groups, frames), side

    def __len__(self):
        return self.samples

    def set_epoch(self, epoch):
        """Nothing is random."""

    def __getitem__(self, index):
        random = np.random.default_rng([self.seed, index])
        label, side = index % 3, self.side
        motion = np.zeros((*self.shape, 2, side, side), np.float32)
        top, left = (8 * random.integers(0, side // 8, 2)).tolist()
        speed = np.array([(-2, 0), (2, 0), (0, 2)], np.float32)[label] * random.uniform(0.7, 1.3)
        motion[..., top : top + 8, left : left + 8] = np.round(2 * speed)[:, None, None] / 2
        valid = np.ones(self.shape, bool)
        valid[-1, self.shape[1] - index % 2 :] = False
        motion[~valid] = 0
        return {
            "image": torch.from_numpy(random.random((self.shape[0], 3, side, side), dtype=np.float32)),
            "motion": torch.from_numpy(motion),
            "residual": torch.from_numpy(random.normal(0, 0.02, (*self.shape, 1, side, side)).astype(np.float32)),
            "valid": torch.from_numpy(valid),
            "label": torch.tensor(label),
        }
