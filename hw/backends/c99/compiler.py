"""Runs compilers and programs, with a limit of time and with what they said when they fail."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

#: What the code is clean under.
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")


class CompilerError(RuntimeError):
    """A compiler that is missing or refuses the code, or a program that does not end as it should."""


def execute(command: Sequence[str], seconds: float, what: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end.

    Args:
        command: program and arguments.
        seconds: after which it is stopped.
        what: is done, for the message.

    Raises:
        CompilerError: if there is no such program, or it takes too long.
    """
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds, check=False)
    except FileNotFoundError as error:
        raise CompilerError(f"{what}: there is no program {command[0]!r}; install it or name another") from error
    except (PermissionError, OSError) as error:
        raise CompilerError(f"{what}: {command[0]!r} cannot be run ({error})") from error
    except subprocess.TimeoutExpired as error:
        raise CompilerError(f"{what}: {command[0]!r} was stopped after {seconds:g} s") from error


def build(
    compiler: str, sources: Sequence[Path], program: Path, flags: Sequence[str] = (), seconds: float = 300
) -> None:
    """Compiles and links with every warning an error.

    Raises:
        CompilerError: with the compiler's words.
    """
    command = [compiler, *STRICT, *flags, *map(str, sources), "-o", str(program)]
    found = execute(command, seconds, f"compiling {sources[0].name}")
    if found.returncode:
        raise CompilerError(f"{' '.join(command)} ended with {found.returncode}:\n{found.stderr[-4000:]}")
