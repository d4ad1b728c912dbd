"""What a compiler for Arm's microcontrollers makes of a network: bytes of code and tables, and of state."""

from __future__ import annotations

import tempfile
from pathlib import Path

from spikelab.hw.backends.c99.compiler import STRICT, CompilerError, execute

CORES = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7")


def flags_for(core: str) -> tuple[str, ...]:
    """The compiler's flags for a core; none needs a unit for floating point."""
    return (f"-mcpu={core}", "-mthumb", "-mfloat-abi=soft")


def firmware_size(
    folder: str | Path, name: str = "net", core: str = "cortex-m0", prefix: str = "arm-none-eabi-", level: str = "-O2"
) -> dict[str, int]:
    """Bytes of a network that :func:`write_c99` wrote.

    Args:
        folder: where it lies.
        name: of the network.
        core: one of :data:`CORES`.
        prefix: of the compiler's programs.
        level: of optimisation, such as "-Os".

    Returns:
        "flash_bytes": code and tables, without the compiler's own library; "state_bytes": size of one state struct.

    Raises:
        CompilerError: if there is no such compiler, or it refuses the code.
    """
    folder = Path(folder)
    with tempfile.TemporaryDirectory(prefix="spikelab-c99-") as temporary:
        place = Path(temporary)
        (place / "state.c").write_text(f'#include "{name}.h"\nextern {name}_state state;\n{name}_state state;\n')
        for source, made in ((folder / f"{name}.c", place / "net.o"), (place / "state.c", place / "state.o")):
            command = [f"{prefix}gcc", *STRICT, *flags_for(core), level, f"-I{folder}", "-c", str(source)]
            found = execute([*command, "-o", str(made)], 300, f"compiling {source.name} for {core}")
            if found.returncode:
                raise CompilerError(f"{' '.join(command)} ended with {found.returncode}:\n{found.stderr[-4000:]}")
        text, data, _ = _sections(prefix, place / "net.o")
        return {"flash_bytes": text + data, "state_bytes": sum(_sections(prefix, place / "state.o")[1:])}


def _sections(prefix: str, made: Path) -> tuple[int, int, int]:
    """Bytes of text, data and bss."""
    found = execute([f"{prefix}size", str(made)], 60, f"measuring {made.name}")
    if found.returncode:
        raise CompilerError(f"{prefix}size {made} ended with {found.returncode}:\n{found.stderr}")
    text, data, bss = found.stdout.splitlines()[1].split()[:3]
    return int(text), int(data), int(bss)
