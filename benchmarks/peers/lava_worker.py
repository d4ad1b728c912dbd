"""Runs a case with Lava's fixed-point CPU models. Runs under Python 3.10, without anything of spikelab.

Reads commands as lines of JSON, answers in the same way: ``hello``, ``prepare`` (a file with the case), ``spikes`` (a
file to write them to), ``time`` (a number of calls, and of steps each), ``release``.
"""

import json
import os
import sys
import time
from importlib.metadata import version

import numpy as np
import psutil
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.conv.process import Conv
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.proc.lif.process import LIF


class Case:
    """Source, connections, neurons and sink, connected as Lava's tutorials do."""

    def __init__(self, path):
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
        self.meta = json.loads(str(arrays.pop("meta")))
        kind, steps = self.meta["kind"], self.meta["steps"]
        # ours: [T, 1, C, H, W] or [T, 1, N]; Lava's: (W, H, C, T) or (N, T)
        spikes = np.ascontiguousarray(np.moveaxis(arrays["spikes"][:, 0], 0, -1))
        weight = arrays["weight"]
        if kind == "convolution":
            spikes = np.ascontiguousarray(spikes.transpose(2, 1, 0, 3))
            # (C_out, C_in, y, x), not flipped, to (C_out, x, y, C_in), flipped
            flipped = np.ascontiguousarray(weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1))
            connection = Conv(weight=flipped, input_shape=spikes.shape[:3], padding=(1, 1))
            shape = connection.output_shape
        else:
            shape = (len(weight),)
            if kind == "delays":
                longest = int(arrays["delay"].max())
                connection = DelayDense(weights=weight, delays=arrays["delay"], max_delay=longest)
            else:
                connection = Dense(weights=weight)
        self.neurons = LIF(shape=shape, **self.meta["parameters"])
        source, self.sink = Source(data=spikes), Sink(shape=shape, buffer=steps)
        source.s_out.connect(connection.s_in)
        connection.a_out.connect(self.neurons.a_in)
        self.neurons.s_out.connect(self.sink.a_in)
        if kind == "recurrent":
            back = Dense(weights=arrays["recurrent"])
            self.neurons.s_out.connect(back.s_in)
            back.a_out.connect(self.neurons.a_in)
        self.config = Loihi2SimCfg(select_tag="fixed_pt")

    def run(self, steps):
        """Runs so many more steps."""
        self.neurons.run(condition=RunSteps(num_steps=steps), run_cfg=self.config)

    def spikes(self):
        """[T, 1, *shape] in our layout."""
        found = np.asarray(self.sink.data.get()).astype(np.int64)
        return np.moveaxis(found if found.ndim == 2 else found.transpose(2, 1, 0, 3), -1, 0)[:, None]


def processor_seconds():
    """Of this process and those that Lava started."""
    me = psutil.Process()
    total = 0.0
    for process in (me, *me.children(recursive=True)):
        used = process.cpu_times()
        total += used.user + used.system
    return total


def main():
    # Lava may print; answers have a stream of their own
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    case = None
    for line in sys.stdin:
        asked = json.loads(line)
        found = {}
        if asked["do"] == "hello":
            found = {"python": sys.version.split()[0], "lava-nc": version("lava-nc"), "numpy": np.__version__}
        elif asked["do"] == "prepare":
            case = Case(asked["path"])
            case.run(case.meta["steps"])
        elif asked["do"] == "spikes":
            np.save(asked["path"], case.spikes())
        elif asked["do"] == "time":
            used, start = processor_seconds(), time.perf_counter()
            for _ in range(asked["calls"]):
                case.run(asked["steps"])
            found = {"wall": time.perf_counter() - start, "cpu": processor_seconds() - used}
        elif asked["do"] == "release":
            case.neurons.stop()
        answers.write(json.dumps(found) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
