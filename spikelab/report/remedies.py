"""Remedies in the messages of readers, in the form in which one types them after `spikelab data check`."""

import re
from collections.abc import Collection

_REMEDY = re.compile(r"\b(damaged|disorder|outside|resets|size|format|stream)=([\w,]+)")


def as_typed(reason: str, options: Collection[str]) -> str:
    """A reason why a recording cannot be used, with the words to type in place of the arguments of Python.

    Args:
        reason: such as "...; leave them out with outside=drop".
        options: of the data set; what it has not must be mended in the file, with `spikelab data convert`.
    """
    beyond = False

    def typed(found: re.Match[str]) -> str:
        nonlocal beyond
        name, value = found.groups()
        beyond |= name not in options
        return f"--options.{name} {value}" if name in options else f"--{name} {value}"

    told = _REMEDY.sub(typed, reason)
    return f"{told} (options of `spikelab data convert FILE NEW.h5`: mend the file with it)" if beyond else told
