"""Event files of every usual format: recognised by content, read in bounded memory, checked alike."""

from spikelab.events.files.errors import EventFileError as EventFileError
from spikelab.events.files.errors import UnknownFormatError as UnknownFormatError
from spikelab.events.files.errors import for_commands as for_commands
from spikelab.events.files.event_file import EventFile as EventFile
from spikelab.events.files.opening import open_events as open_events
from spikelab.events.files.opening import read_events as read_events
from spikelab.events.files.opening import recognise as recognise
from spikelab.events.files.source import Frame as Frame
from spikelab.events.files.source import Triggers as Triggers
from spikelab.events.files.windows import windows as windows
from spikelab.events.files.writing import write_events as write_events
