"""The `spikelab` command: one table of commands, each a settings dataclass and the function that takes it.

Nothing here imports torch; a command's module is imported when that command runs. So `--help` and a mistyped option are
answered at once.
"""

import difflib
import importlib
import json
import logging
import os
import re
import sys
import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

import spikelab
from spikelab import (
    settings,
    settings_bench,
    settings_continual,
    settings_events,
    settings_hardware,
    settings_learning,
    settings_simulation,
    settings_video,
)
from spikelab.freed_memory import keep_freed_memory
from spikelab.registry import suggestion


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        settings: The dataclass of its options; the first line of its docstring is the command's summary.
        run: "module:function" that takes the settings and returns the figures for `--json`.
        show: "module:function" that turns those figures into the text for the terminal.
        writes_json: Whether `run` writes the `--json` file itself, in a form of its own.
        bare: The option that a first word without `--` stands for, where there is one.
        bare_is: What that word is called in the usage; the option's name where this is empty.
        trains: Whether it takes the same memory again and again, so that freed memory is worth keeping.
    """

    settings: type
    run: str
    show: str
    writes_json: bool = False
    bare: str = ""
    bare_is: str = ""
    trains: bool = False

    @property
    def summary(self) -> str:
        """What the command does, in one sentence."""
        return (self.settings.__doc__ or "").strip().splitlines()[0]


COMMANDS = {
    "train": Command(
        settings.Train, "spikelab.report.curves:train_and_draw", "spikelab.report.text:training", trains=True
    ),
    "eval": Command(settings.Evaluate, "spikelab.learn.evaluate:evaluate_run", "spikelab.report.text:evaluation"),
    "predict": Command(settings.Predict, "spikelab.report.predict:predict", "spikelab.report.predict:predicted"),
    "export": Command(
        settings_hardware.Export, "spikelab.report.export:export", "spikelab.report.hardware_text:exported"
    ),
    "verify": Command(
        settings_hardware.Verify, "spikelab.report.hardware_verify:verify", "spikelab.report.hardware_text:verified"
    ),
    "map": Command(
        settings_hardware.Map, "spikelab.report.hardware_map:map_network", "spikelab.report.hardware_text:mapped"
    ),
    "quantise": Command(
        settings_hardware.QuantiseRun,
        "spikelab.report.quantise:quantise",
        "spikelab.report.hardware_text:quantised",
        trains=True,
    ),
    "simulate": Command(
        settings_simulation.Simulate, "spikelab.report.simulate:simulate", "spikelab.report.simulate:simulated"
    ),
    "continual": Command(
        settings_continual.Continual,
        "spikelab.report.continual:continual",
        "spikelab.report.continual:learned",
        trains=True,
    ),
    "erase": Command(
        settings_continual.Erase, "spikelab.report.erase:erase", "spikelab.report.erase:erased", trains=True
    ),
    "learn": Command(
        settings_learning.Learn, "spikelab.report.learn:learn", "spikelab.report.learn:learned", trains=True
    ),
    "whatwhen": Command(
        settings_simulation.WhatWhen, "spikelab.report.what_and_when:whatwhen", "spikelab.report.what_and_when:shown"
    ),
    "data make": Command(settings.DataMake, "spikelab.report.data:make", "spikelab.report.text:data", bare="name"),
    "data check": Command(
        settings.DataCheck,
        "spikelab.report.data:check",
        "spikelab.report.text:data",
        bare="name",
        bare_is="FOLDER|NAME",
    ),
    "data info": Command(
        settings_events.DataInfo, "spikelab.report.event_files:info", "spikelab.report.event_files:shown"
    ),
    "data convert": Command(
        settings_events.DataConvert, "spikelab.report.event_files:convert", "spikelab.report.event_files:converted"
    ),
    "data play": Command(
        settings_events.DataPlay, "spikelab.report.event_play:play", "spikelab.report.event_play:played"
    ),
    "data transcode": Command(
        settings_video.DataTranscode,
        "spikelab.report.transcode:transcode_files",
        "spikelab.report.transcode:transcoded",
    ),
    "compare": Command(
        settings.Compare, "spikelab.report.compare:compare", "spikelab.report.text:comparison", trains=True
    ),
    "info": Command(settings.Info, "spikelab.report.info:info", "spikelab.report.text:info"),
    "bench video": Command(
        settings_video.BenchVideo, "spikelab.report.bench_video:bench_video", "spikelab.report.bench_video:measured"
    ),
    "bench train": Command(
        settings_bench.BenchTrain, "spikelab.report.bench:bench_training", "spikelab.report.text:bench", True
    ),
    **{
        f"bench {name}": Command(kind, "spikelab.report.bench:bench_part", "spikelab.report.bench:shown", True)
        for name, kind in (
            ("sim", settings_bench.BenchSimulation),
            ("events", settings_bench.BenchEvents),
            ("hw", settings_bench.BenchHardware),
            ("products", settings_bench.BenchProducts),
        )
    },
}

HELP = """\
Train, evaluate and export spiking neural networks.

usage: spikelab COMMAND [options]

{commands}

spikelab COMMAND --help      explains a command and its options
spikelab COMMAND --config F  takes options from the TOML file F; options on the command line win over it
spikelab --version           prints the version
--debug                      with any command: show where in the code an error came from

A first run:
  spikelab train --folder runs/first --epochs 5
  spikelab eval runs/first
  spikelab predict runs/first
"""


class UsageError(Exception):
    """A command line or a settings file that cannot be understood."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: The words after `spikelab`; those of this process if left out.

    Returns:
        The exit code: 0; 1 after an error and 2 after a usage error, each told in one line; 1 as well where all was
        done but for some files, which the figures name as `failed`, or where what was checked has `problems`; 130
        after an interruption that was answered by saving everything.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if len(words) > 1 and words[1] in ("-h", "--help") and (members := _members(words[0])):
        print("\n".join([*_summaries(members), "", f"spikelab {words[0]} COMMAND --help      explains one of them"]))
        return 0
    if words[0] == "--version":
        print(spikelab.__version__)
        return 0
    name = words[0]
    try:
        name, rest = _find_command(words)
        command = COMMANDS[name]
        options = _parse(name, command, rest)
        if options is None:
            return 0
        if options.json:
            _check_writable(options.json)
        logging.basicConfig(format="%(message)s", stream=sys.stderr)
        logging.getLogger("spikelab").setLevel(logging.INFO)  # ours; other libraries only warn
        if arguments is None and command.trains:
            # this process is ours; one that calls us from Python may want its memory back
            keep_freed_memory()
        with _warnings_in_one_line(name):
            figures = _load(command.run)(options)
            if _is_main_process():
                print(_load(command.show)(figures))
                if options.json and not command.writes_json:
                    _write_json(options.json, name, options, figures)
        return 1 if isinstance(figures, Mapping) and (figures.get("failed") or figures.get("problems")) else 0
    except BaseException as error:
        if debug and not isinstance(error, SystemExit):
            traceback.print_exc()
        return _report(name, error)


@contextmanager
def _warnings_in_one_line(name: str) -> Iterator[None]:
    """Warnings as errors are told: by the command, in one line without the place in the code, each once."""
    told = set()

    def show(message: Warning | str, *place: Any, **more: Any) -> None:
        line = f"spikelab {name}: warning: {' '.join(str(message).split())}"
        if line not in told and _is_main_process():
            told.add(line)
            print(line, file=sys.stderr)

    with warnings.catch_warnings():
        setattr(warnings, "showwarning", show)  # noqa: B010 - the hook that the module names for this
        yield


def _check_writable(path: str) -> None:
    """Refuse, before any work is done, a file that could not be written after it."""
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise UsageError(f"--json {path}: is a folder; name a file")
    if not os.path.isdir(folder):
        raise UsageError(f"--json {path}: there is no folder {folder}; make it first")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"--json {path}: the folder {folder} cannot be written to")


def _overview() -> str:
    return HELP.format(commands="\n".join(_summaries(COMMANDS)))


def _summaries(names: Iterable[str]) -> list[str]:
    width = max(map(len, COMMANDS)) + 2
    return [f"  {name:<{width}}{COMMANDS[name].summary}" for name in names]


def _members(group: str) -> list[str]:
    """Commands of two words that begin with this one."""
    return [name for name in COMMANDS if name.startswith(f"{group} ")]


def _find_command(words: list[str]) -> tuple[str, list[str]]:
    for length in (2, 1):
        name = " ".join(words[:length])
        if len(words) >= length and name in COMMANDS:
            return name, words[length:]
    if members := _members(words[0]):
        raise UsageError(f"say which: {', '.join(f'spikelab {name}' for name in members)}")
    raise UsageError(f"unknown command {words[0]!r}; {suggestion(words[0], list(COMMANDS))}")


def _parse(name: str, command: Command, words: list[str]) -> Any:
    """The settings, or None if the words asked for help or for the settings to be printed, which is then done."""
    import jsonargparse

    from spikelab.io.settings_file import load_toml

    # Attribute docstrings become the help. A settings file may hold values only, never the name of a class to build.
    jsonargparse.set_parsing_settings(docstring_parse_attribute_docstrings=True, instantiate_subclass_spec_in_any=False)
    if command.bare and words and not words[0].startswith("-"):
        words = [f"--{command.bare}", *words]
    words = [_renamed(_underscored(word), command) for word in words]
    _check_repeated(command.settings, words)
    words = _with_lists(command.settings, _files_first(words))
    words = _with_settings_of_resumed(name, words)
    positional = [
        entry.name
        for entry in fields(command.settings)
        if entry.default is MISSING and entry.default_factory is MISSING
    ]
    places = [each.upper() for each in positional]
    places += [f"[{command.bare_is or command.bare.upper()}]"] if command.bare else []
    usage = f"spikelab {name}{''.join(f' {each}' for each in places)} [--config FILE] [options]"
    parser = jsonargparse.ArgumentParser(
        prog=f"spikelab {name}",
        usage=usage,
        description=command.summary,
        parser_mode="toml",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="TOML file with any of the options below.")
    parser.add_class_arguments(command.settings, None, as_positional=True)
    for path in _values_of("--config", words):
        if not os.path.exists(path):
            raise UsageError(f"--config {path}: no such file")
        _check_settings(name, load_toml(path), path)
    try:
        namespace = parser.instantiate(parser.parse_args(words))
    except SystemExit as stop:  # --help and --print_config
        if stop.code:
            raise
        return None
    except jsonargparse.ArgumentError as error:
        raise UsageError(_explained(str(error), parser)) from error
    return command.settings(**{entry.name: getattr(namespace, entry.name) for entry in fields(command.settings)})


def _check_settings(name: str, values: Mapping[str, Any], path: str) -> None:
    """Refuse keys that a command does not have; those of another command tell which one the file is for.

    Raises:
        SettingsError: Naming the key, or the command.
    """
    from spikelab.io.settings_file import SettingsError, check_keys

    try:
        check_keys(COMMANDS[name].settings, values, path)
    except SettingsError as error:
        known = {entry.name for entry in fields(COMMANDS[name].settings)}
        if values.keys() <= known:  # one is mistyped further below
            raise
        for other, command in COMMANDS.items():
            try:
                check_keys(command.settings, values, path)
            except SettingsError:
                continue
            told = f"{path}: is a configuration of `spikelab {other}`, not of `spikelab {name}`"
            raise SettingsError(told) from error
        raise


def _underscored(word: str) -> str:
    """`--initialise-from X` means `--initialise_from X`; values are left alone."""
    if not word.startswith("--"):
        return word
    key, equals, value = word.partition("=")
    return "--" + key[2:].replace("-", "_") + equals + value


def _renamed(word: str, command: Command) -> str:
    """`--out` is what other tools call `--folder`; `--class K` means `--classes K`: no field can be called `class`."""
    names = {entry.name for entry in fields(command.settings)}
    for given, meant in (("--out", "folder"), ("--class", "classes")):
        if meant in names and word.partition("=")[0] == given:
            return f"--{meant}" + word[len(given) :]
    return word


def _check_repeated(settings_type: type, words: list[str]) -> None:
    """Refuse a list that is given in parts, of which only the last would count; of other options the last word wins."""
    keys = [word.partition("=")[0] for word in words if word.startswith("--")]
    for key in dict.fromkeys(keys):
        if keys.count(key) > 1 and _list_type(settings_type, key[2:].split(".")) is not None:
            raise UsageError(f"{key} is given {keys.count(key)} times; give all at once: {key} A,B")


def _files_first(words: list[str]) -> list[str]:
    """`--config FILE` before everything else: the parser lets later words win, wherever a file stands among them."""
    files: list[str] = []
    others: list[str] = []
    waiting = False
    for word in words:
        belongs = waiting or word == "--config" or word.startswith("--config=")
        (files if belongs else others).append(word)
        waiting = word == "--config" and not waiting
    return files + others


def _with_lists(settings_type: type, words: list[str]) -> list[str]:
    """Lists as one types them, `--splits train,test` or `--indices 0,3`, in the form that the parser reads."""
    found = list(words)
    for place, word in enumerate(words):
        key, equals, value = word.partition("=")
        listed = _list_type(settings_type, key[2:].split(".")) if key.startswith("--") else None
        if listed is None:
            continue
        if equals:
            found[place] = f"{key}={_listed(listed, value)}"
        elif place + 1 < len(words):
            found[place + 1] = _listed(listed, words[place + 1])
    return found


def _listed(item: type, value: str) -> str:
    items = [each.strip().strip("\"'") for each in value.strip().removeprefix("[").removesuffix("]").split(",")]
    return "[" + ", ".join(json.dumps(each) if item is str else each for each in items if each) + "]"


def _list_type(kind: Any, path: list[str]) -> type | None:
    """The type of a list's items, if the option at this path is a list."""
    for name in path:
        kind = get_type_hints(kind).get(name) if is_dataclass(kind) else None
    lists = [each for each in (kind, *get_args(kind)) if get_origin(each) is list]
    return get_args(lists[0])[0] if len(lists) == 1 else None


def _values_of(option: str, words: list[str]) -> list[str]:
    after = [words[place + 1] for place, word in enumerate(words[:-1]) if word == option]
    return after + [word.partition("=")[2] for word in words if word.startswith(option + "=")]


def _with_settings_of_resumed(name: str, words: list[str]) -> list[str]:
    """`--resume RUN` starts from the settings in RUN, so that only what is to differ need be given."""
    runs = [run for run in _values_of("--resume", words) if run != "auto"] if name == "train" else []
    if not runs:
        return words
    path = os.path.join(runs[-1], "settings.toml")
    if not os.path.exists(path):
        raise UsageError(f"--resume {runs[-1]}: not the folder of a run (it has no settings.toml)")
    return ["--config", path, *words]


def _explained(message: str, parser: Any) -> str:
    """The parser's message in one line, with the closest option where one is unknown."""
    message = " ".join(message.split()).replace("Parser key", "option")
    unknown = re.match(r"unrecognized arguments: (\S+)", message)
    if unknown:
        known = sorted(word for action in parser._actions for word in action.option_strings if word.startswith("--"))
        option = unknown.group(1).split("=")[0]
        if not option.startswith("-"):
            return f"does not know what to do with {option!r}; options start with --"
        group = [word for word in known if word.rpartition(".")[0] == option.rpartition(".")[0] != ""]
        close = [word for word in group if _initials(word) == option.rpartition(".")[2]]
        close = close or difflib.get_close_matches(option, group, n=1, cutoff=0.7)
        close = close or difflib.get_close_matches(option, known, n=1, cutoff=0.4)
        # A group's option is often given without its group: --batch_size for --data.batch_size.
        close = [word for word in known if word.endswith("." + option.lstrip("-"))] or close
        return f"unknown option {option}" + (f"; did you mean {close[0]}?" if close else "")
    is_list = re.match(r'option "([\w.]+)": (?:Expected a .{,8}list|.*\[list\[(?:int|float)\],)', message)
    if is_list:
        about = next((action.help for action in parser._actions if action.dest == is_list[1]), "")
        return f"--{is_list[1]} takes numbers parted by commas. {about}".rstrip(" .")
    return message.replace("typing.Literal", "one of ").replace("<class ", "").replace("'>.", "'.")


def _initials(option: str) -> str:
    """`lr` of `--optimiser.learning_rate`."""
    return "".join(part[0] for part in option.rpartition(".")[2].strip("-").split("_") if part)


def _load(place: str) -> Any:
    module, function = place.split(":")
    return getattr(importlib.import_module(module), function)


def _is_main_process() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _write_json(path: str, name: str, options: Any, figures: dict[str, Any]) -> None:
    from spikelab.io.atomic import write_json_atomically
    from spikelab.io.settings_file import to_dict

    document = {"command": name, "spikelab": spikelab.__version__, "settings": to_dict(options), "figures": figures}
    write_json_atomically(path, document)


def _report(name: str, error: BaseException) -> int:
    """Tell an error, in one line where it is one reason, and give the exit code."""
    kind = type(error).__name__
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    # a list of reasons keeps a line for each
    message = "\n  ".join(lines)
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, BrokenPipeError):  # the reader of a pipe, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if isinstance(error, KeyboardInterrupt) and kind != "SimulationInterrupted":
        print(f"\nspikelab {name}: interrupted", file=sys.stderr)
        return 130
    if kind in ("TrainingInterrupted", "SimulationInterrupted"):
        print(f"\nspikelab {name}: {message}", file=sys.stderr)
        return 130
    if isinstance(error, UsageError) or kind == "SettingsError":
        message = " ".join(lines)
        command = f"spikelab {name}" if name in COMMANDS else "spikelab"
        print(f"{command}: error: {message} ({command} --help)", file=sys.stderr)
        return 2
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    expected = (
        isinstance(error, ValueError | RuntimeError | FloatingPointError | OSError | ImportError)
        or kind == "UnknownNameError"
    )
    hint = "" if expected else " (this looks like a fault in spikelab: --debug shows where it came from)"
    print(f"spikelab {name}: error: {message if expected else f'{kind}: {message}'}{hint}", file=sys.stderr)
    return 1
