"""A data set whose samples end the process that loads them, as a script that starts itself again does."""

import os

import torch


class DyingSamples(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        if torch.utils.data.get_worker_info() is not None:
            os._exit(1)
        return {"image": torch.zeros(2), "label": torch.tensor(0)}
