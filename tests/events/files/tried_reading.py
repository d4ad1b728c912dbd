"""Reads event files in a process of its own, where it may crash, hang or ask for all memory without taking the tests
with it, and says what came of it."""

import contextlib
import multiprocessing
import resource
import traceback
import warnings
from pathlib import Path

from spikelab.events import EventArray
from spikelab.events.files import EventFileError, open_events, recognise

PATIENCE = 60.0
"""Seconds after which a reader hangs; the files are read in milliseconds."""

ROOM = 512 << 20
"""Bytes of address space that reading a file of some kilobytes may take beyond what the process has."""


class Answers:
    """A process that reads; it is started anew after it died.

    Args:
        paths: good files with the names and options that they are read with, so that all is compiled and imported.
    """

    def __init__(self, paths):
        self._paths, self._process = paths, None

    def of(self, *request):
        """What `tried` says; a process that ends or hangs is a `fault` too."""
        if self._process is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, there = context.Pipe()
            self._process = context.Process(target=_serve, args=(there, self._paths), daemon=True)
            self._process.start()
            there.close()
            assert self._pipe.poll(600)
            assert self._pipe.recv() == "ready"
        try:
            self._pipe.send(request)
            if not self._pipe.poll(PATIENCE):
                self.close()
                return {"fault": f"no answer within {PATIENCE:g} s"}
            return self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode
            self.close()
            return {"fault": f"the process ended with {code}"}

    def close(self):
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            self._process = None


def _serve(pipe, paths):
    for path, name, options in paths:
        found = tried(path, name, options)
        assert "fault" not in found, found
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, hard))
    pipe.send("ready")
    while True:
        try:
            request = pipe.recv()
        except EOFError:
            return
        pipe.send(tried(*request))


def tried(path, name, options, beginning=None):
    """Read a file in all ways there are.

    Args:
        path: of the file.
        name: of its format.
        options: for reading it.
        beginning: a file that holds what is unchanged at its beginning, or None.

    Returns:
        `problem`, the message of the error; `offset`, its byte; `events`, their number where there was no error;
        `kept`, the number with ``damaged=keep``; `told`, the warnings then; `sure`, the number of the beginning's;
        `unsure`, what reading by content alone says. And `fault`: an exception that is not ours, or events that are
        none.
    """
    found = {"problem": None, "offset": None, "events": None, "kept": None, "told": [], "sure": None}
    options = {"outside": "drop", "resets": "continue"} | options
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", RuntimeWarning)
            handed_out = 0
            try:
                with open_events(path, format=name, **options) as file:
                    for events in file:
                        _check(events)
                        handed_out += len(events)
                    found["events"] = len(file.read()) + file.dropped_events
                    handed_out += file.dropped_events
                    found["problem"] = None
                    if handed_out != found["events"]:
                        return found | {"fault": f"{handed_out} events in chunks, {found['events']} at once"}
            except EventFileError as error:
                found |= {"problem": str(error), "offset": error.offset}
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            with contextlib.suppress(EventFileError), open_events(path, format=name, damaged="keep", **options) as file:
                events = file.read()
                _check(events)
                found["kept"] = len(events) + file.dropped_events
                found["told"] = [str(each.message) for each in told]
                if any(each.category is RuntimeWarning for each in told):
                    return found | {"fault": f"a warning of numpy: {found['told']}"}
                if found["kept"] < handed_out:
                    return found | {"fault": f"{handed_out} events were handed out, and {found['kept']} kept"}
                _read_the_rest(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if beginning is not None:
                with (
                    contextlib.suppress(EventFileError),
                    open_events(beginning, format=name, damaged="keep", **options) as file,
                ):
                    found["sure"] = len(file.read()) + file.dropped_events
            with contextlib.suppress(EventFileError):
                other = recognise(path)
                if other != name:
                    with open_events(path, format=other, damaged="keep", **options) as file:
                        _check(file.read())
    except Exception:
        return found | {"fault": traceback.format_exc()}
    return found


def _read_the_rest(file):
    for read in (lambda: list(file.frames()), file.triggers, lambda: file.between(0, 10_000_000)):
        with contextlib.suppress(EventFileError):
            read()


def _check(events):
    EventArray(events.x, events.y, events.t, events.p, events.width, events.height)  # which checks everything
