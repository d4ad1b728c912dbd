"""The few machine instructions that the driver and the kernels need beyond Numba's Python: calls by address, atomics.

Every kernel of the simulator has one form, ``kernel(table, thread, step)``: the address of a table of whole numbers
(sizes, and addresses of arrays), the number of the calling thread, and the time step. So a network is a list of
(kernel, table) pairs, and kernels are compiled once for each kind of population or projection, not for each network.
"""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba import extending, types

#: A table of whole numbers.
TABLE = types.CPointer(types.int64)
#: ``kernel(table, thread, step)``.
KERNEL = types.void(TABLE, types.int64, types.int64)
#: Typed as anything: what it makes takes two arguments fewer than what it is put on.
intrinsic: Any = extending.intrinsic
_I64, _I32 = ir.IntType(64), ir.IntType(32)


def address_of(function: Any) -> int:
    """Where a compiled C function is."""
    return int(function.address)


@intrinsic
def call_kernel(typing: Any, address: Any, table: Any, thread: Any, step: Any) -> Any:
    """Calls the kernel at an address with the table at another."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kernel = ir.FunctionType(ir.VoidType(), [_I64.as_pointer(), _I64, _I64])
        function = builder.inttoptr(arguments[0], kernel.as_pointer())
        place = builder.inttoptr(arguments[1], _I64.as_pointer())
        builder.call(function, [place, arguments[2], arguments[3]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), generate


@intrinsic
def call_yield(typing: Any, address: Any) -> Any:
    """Calls a C function without arguments: the operating system's way to let another thread run."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = builder.inttoptr(arguments[0], ir.FunctionType(ir.IntType(32), []).as_pointer())
        builder.call(function, [])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@intrinsic
def add_and_get(typing: Any, table: Any, place: Any) -> Any:
    """Adds one to an entry of a table, whichever threads do so at the same time, and returns the entry's new value.

    What this thread wrote before is seen by a thread that sees the new value.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        one = ir.Constant(_I64, 1)
        old = builder.atomic_rmw("add", builder.gep(arguments[0], [arguments[1]]), one, "seq_cst")
        return builder.add(old, one)

    return types.int64(TABLE, types.int64), generate


@intrinsic
def read_shared(typing: Any, table: Any, place: Any) -> Any:
    """The present value of an entry that other threads change."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(builder.gep(arguments[0], [arguments[1]]), "seq_cst", 8)

    return types.int64(TABLE, types.int64), generate


@intrinsic
def write_shared(typing: Any, table: Any, place: Any, value: Any) -> Any:
    """Changes an entry that other threads read."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store_atomic(arguments[2], builder.gep(arguments[0], [arguments[1]]), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(TABLE, types.int64, types.int64), generate


@intrinsic
def as_table(typing: Any, address: Any) -> Any:
    """The table at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], _I64.as_pointer())

    return TABLE(types.int64), generate


def _has_mxcsr() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")


@intrinsic
def prefetch(typing: Any, address: Any) -> Any:
    """Asks for a cache line ahead of its use."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, _I32, _I32, _I32])
        name = "llvm.prefetch.p0i8"
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        read, keep, data = (ir.Constant(_I32, number) for number in (0, 3, 1))
        builder.call(function, [builder.inttoptr(arguments[0], byte), read, keep, data])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@intrinsic
def flush_denormals(typing: Any) -> Any:
    """Makes this thread treat numbers too small for full precision as zero, and returns its setting before.

    A current that decays for long enough gets there, and many processors are a hundred times slower with such numbers.
    Elsewhere than on x86 nothing changes.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if not _has_mxcsr():
            return ir.Constant(_I32, 0)
        place, new = builder.alloca(_I32), builder.alloca(_I32)
        _control_register(builder, "stmxcsr", place)
        before = builder.load(place)
        # bits 15 and 6: flush results to zero, take operands as zero
        builder.store(builder.or_(before, ir.Constant(_I32, 0x8040)), new)
        _control_register(builder, "ldmxcsr", new)
        return before

    return types.int32(), generate


@intrinsic
def restore_denormals(typing: Any, setting: Any) -> Any:
    """Puts the setting back that ``flush_denormals`` returned."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if _has_mxcsr():
            place = builder.alloca(_I32)
            builder.store(arguments[0], place)
            _control_register(builder, "ldmxcsr", place)
        return context.get_dummy_value()

    return types.void(types.int32), generate


def _control_register(builder: Any, instruction: str, place: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer()])
    name = f"llvm.x86.sse.{instruction}"
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    builder.call(function, [builder.bitcast(place, ir.IntType(8).as_pointer())])
