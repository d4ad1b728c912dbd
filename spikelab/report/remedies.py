"""Remedies in the messages of readers, in the form in which one types them after `spikelab data check`."""

from collections.abc import Collection

from spikelab.events.files import for_commands


def as_typed(reason: str, options: Collection[str]) -> str:
    """A reason why a recording cannot be used, with the words to type in place of the arguments of Python.

    Args:
        reason: such as "...; leave them out with outside=drop".
        options: of the data set; what it has not must be mended in the file, with `spikelab data convert`.
    """
    beyond = False

    def flag(name: str) -> str:
        nonlocal beyond
        beyond |= name not in options
        return f"--options.{name}" if name in options else f"--{name}"

    told = for_commands(reason, flag)
    return f"{told} (options of `spikelab data convert FILE NEW.h5`: mend the file with it)" if beyond else told
