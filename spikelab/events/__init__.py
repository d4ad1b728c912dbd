"""Event cameras: event arrays, representations and a simulator."""

from spikelab.events.array import EventArray as EventArray
from spikelab.events.camera import CameraState as CameraState
from spikelab.events.camera import EventCamera as EventCamera
from spikelab.events.fit import fit_threshold as fit_threshold
from spikelab.events.represent import event_counts as event_counts
from spikelab.events.represent import voxel_grid as voxel_grid
from spikelab.events.timing import evsegnet_channels as evsegnet_channels
from spikelab.events.timing import time_surface as time_surface
