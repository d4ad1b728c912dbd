"""Vectors of 16 numbers, where compilers do not find them by themselves.

Two loops need them: one that adds a multiple of a short run of numbers, and one that turns a matrix in the cache, in
tiles of 16 x 16 that are shuffled in registers. Number by number, each would cost several times a sparse convolution.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from spikelab.kernels.numba_pipeline import NoAliasCompiler

#: Numbers in a vector; rows and columns of a tile.
TILE = 16
_INDEX: Any = np.uintp
_TILE = _INDEX(TILE)


def _vector_at(builder: Any, data: Any, place: Any) -> Any:
    vector = ir.VectorType(data.type.pointee, TILE)
    return builder.bitcast(builder.gep(data, [place]), vector.as_pointer())


def _add_products(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Code of ``add_multiple`` and ``add_four``: target, place, then the values, the source, then its places."""
    terms = (len(arguments) - 3) // 2
    target = context.make_array(signature.args[0])(context, builder, arguments[0])
    source = context.make_array(signature.args[2 + terms])(context, builder, arguments[2 + terms])
    alignment = signature.args[0].dtype.bitwidth // 8
    address = _vector_at(builder, target.data, arguments[1])
    sums = builder.load(address)
    sums.align = alignment
    lanes = ir.VectorType(ir.IntType(32), TILE)
    nothing = ir.Constant(sums.type, ir.Undefined)
    for value, start in zip(arguments[2 : 2 + terms], arguments[3 + terms :], strict=True):
        added = builder.load(_vector_at(builder, source.data, start))
        added.align = alignment
        one = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
        all_same = builder.shuffle_vector(one, nothing, ir.Constant(lanes, [0] * TILE))
        # contract: a product and a sum may be rounded once
        sums = builder.fadd(sums, builder.fmul(added, all_same, flags=("contract",)), flags=("contract",))
    builder.store(sums, address).align = alignment
    return context.get_dummy_value()


def _add_multiple(typing: Any, into: Any, at: Any, value: Any, what: Any, start: Any) -> Any:
    """Adds a value times ``TILE`` elements of an array, from ``start``, to those of another, from ``at``."""
    return types.void(into, types.uintp, what.dtype, what, types.uintp), _add_products


def _add_four(
    typing: Any, into: Any, at: Any, a: Any, b: Any, c: Any, d: Any, what: Any, i: Any, j: Any, k: Any, m: Any
) -> Any:
    """As ``add_multiple`` four times, with one look at the sums: that is what most of the time goes into."""
    values, places = [what.dtype] * 4, [types.uintp] * 4
    return types.void(into, types.uintp, *values, what, *places), _add_products


def _turn_one(typing: Any, source: Any, start: Any, stride: Any, target: Any, to: Any, pace: Any) -> Any:
    """Elements start + i stride + j of an array to places to + j pace + i of another, for i and j below ``TILE``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        read = context.make_array(signature.args[0])(context, builder, arguments[0])
        write = context.make_array(signature.args[3])(context, builder, arguments[3])
        element = context.get_data_type(signature.args[0].dtype)
        vector = ir.VectorType(element, TILE)
        alignment = signature.args[0].dtype.bitwidth // 8

        def row(data: Any, first: Any, step: Any, i: int) -> Any:
            place = builder.add(first, builder.mul(step, ir.Constant(step.type, i)))
            return builder.bitcast(builder.gep(data, [place]), vector.as_pointer())

        rows = []
        for i in range(TILE):
            loaded = builder.load(row(read.data, arguments[1], arguments[2], i))
            loaded.align = alignment
            rows.append(loaded)
        block = 1
        while block < TILE:
            # exchanges the upper right with the lower left of each square of two by two blocks
            lower = [j if not j & block else TILE + j - block for j in range(TILE)]
            upper = [j + block if not j & block else TILE + j for j in range(TILE)]
            masks = [
                ir.Constant(ir.VectorType(ir.IntType(32), TILE), [ir.Constant(ir.IntType(32), m) for m in mask])
                for mask in (lower, upper)
            ]
            for i in (i for i in range(TILE) if not i & block):
                pair = rows[i], rows[i + block]
                rows[i], rows[i + block] = (builder.shuffle_vector(*pair, mask) for mask in masks)
            block *= 2
        for i, value in enumerate(rows):
            builder.store(value, row(write.data, arguments[4], arguments[5], i)).align = alignment
        return context.get_dummy_value()

    whole = types.uintp
    return types.void(source, whole, whole, target, whole, whole), generate


# for the type checker: kernels call these without the first argument
add_multiple: Any = intrinsic(_add_multiple)
add_four: Any = intrinsic(_add_four)
_turn_tile: Any = intrinsic(_turn_one)


@njit(nogil=True, error_model="numpy", pipeline_class=NoAliasCompiler)
def turn(source: Any, rows: int, columns: int, stride: int, target: Any, pace: int) -> None:
    """Element [i, j] of a matrix to [j, i] of another: both flat, their rows ``stride`` and ``pace`` long."""
    height, width, step, other = _INDEX(rows), _INDEX(columns), _INDEX(stride), _INDEX(pace)
    whole_rows, whole_columns = height - height % _TILE, width - width % _TILE
    for i in range(_INDEX(0), whole_rows, _TILE):
        for j in range(_INDEX(0), whole_columns, _TILE):
            _turn_tile(source, i * step + j, step, target, j * other + i, other)
    for i in range(height):
        # what is left to the right, and below
        for j in range(whole_columns if i < whole_rows else _INDEX(0), width):
            target[j * other + i] = source[i * step + j]
