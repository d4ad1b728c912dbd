"""Move a piece of a row of pixels, as one vector instruction or two.

Blocks are 8 or 16 pixels wide. A loop over so few, whose place is known at run time only, costs a compiled kernel most
of its time in checks before it begins; this is three times as fast for whole pictures.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic


def _move_pixels(
    typing_context: Any, target: Any, to: Any, source: Any, start: Any, added: Any, length: Any
) -> tuple[Any, Any]:
    """`target[to : to + length] = source[start : start + length] + added`.

    Nothing is checked: the caller makes sure that both pieces lie in their arrays.

    Args:
        typing_context: Numba's own.
        target: Array of one dimension, contiguous, of integers.
        to: Where the piece goes to.
        source: Array of the same type.
        start: Where it comes from.
        added: What is added to each pixel, of the same type as they are.
        length: How many pixels, a literal number.
    """
    signature = types.void(target, to, source, start, added, length)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        pixel = context.get_data_type(kind.dtype)
        vector = ir.VectorType(pixel, length.literal_value)

        def address(array: Any, place: Any) -> Any:
            data = context.make_array(kind)(context, builder, array).data
            return builder.bitcast(builder.gep(data, [place]), vector.as_pointer())

        nothing = ir.Constant(vector, ir.Undefined)
        first = ir.Constant(ir.IntType(32), 0)
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), length.literal_value), [0] * length.literal_value)
        add = builder.shuffle_vector(builder.insert_element(nothing, arguments[4], first), nothing, everywhere)
        # pixels are aligned to nothing but their own size
        align = context.get_abi_sizeof(pixel)
        pixels = builder.load(address(arguments[2], arguments[3]), align=align)
        builder.store(builder.add(pixels, add), address(arguments[0], arguments[1]), align=align)
        return context.get_dummy_value()

    return signature, generate


#: `move_pixels(target, to, source, start, added, length)`, for use in compiled functions; see `_move_pixels`.
move_pixels: Any = intrinsic(prefer_literal=True)(_move_pixels)
