"""The integer operations as C functions, in 32 and in 64 bits. No shift of a negative number, no signed overflow.

Each is defined for all arguments whose exact result fits; that it does is proven before a call is printed.
"""

from __future__ import annotations

_MAGNITUDE = """static inline uint{n}_t size_of_{n}(int{n}_t x)
{{
    return x < 0 ? {zero} - (uint{n}_t)x : (uint{n}_t)x;
}}
"""
_TOWARD_ZERO = """/* x / 2^k, its magnitude rounded down */
static inline int{n}_t toward_zero_{n}(int{n}_t x, uint32_t k)
{{
    const int{n}_t magnitude = (int{n}_t)(size_of_{n}(x) >> k);
    return x < 0 ? -magnitude : magnitude;
}}
"""
# |x| = high 2^k + low, so |x| |y| = high |y| 2^k + low |y|: the second product is all that is shifted
_SCALED = """/* x y / 2^k, its magnitude rounded down, without a product of 64 bits */
static inline int32_t scaled_32(int32_t x, int32_t y, uint32_t k)
{
    const uint32_t size = size_of_32(x);
    const uint32_t factor = size_of_32(y);
    const uint32_t rest = size & (((uint32_t)1 << k) - 1u);
    const int32_t magnitude = (int32_t)((size >> k) * factor + ((rest * factor) >> k));
    return (x < 0) == (y < 0) ? magnitude : -magnitude;
}
"""
_RIGHT = """/* x / 2^k rounded to the smaller number */
static inline int{n}_t shift_right_{n}(int{n}_t x, uint32_t k)
{{
    return x < 0 ? ~(~x >> k) : x >> k;
}}
"""
_LEFT = """/* x 2^k */
static inline int{n}_t shift_left_{n}(int{n}_t x, uint32_t k)
{{
    return x * (int{n}_t)((uint{n}_t)1 << k);
}}
"""
_SHIFT = """/* x 2^k; for k < 0 rounded to the smaller number */
static inline int{n}_t shift_{n}(int{n}_t x, int32_t k)
{{
    return k < 0 ? shift_right_{n}(x, (uint32_t)-k) : shift_left_{n}(x, (uint32_t)k);
}}
"""
_WRAP = """/* x less 2^k above 2^(k-1), plus 2^k at or below -2^(k-1), once */
static inline int{n}_t wrap_{n}(int{n}_t x, uint32_t k)
{{
    const int{n}_t half = (int{n}_t)((uint{n}_t)1 << (k - 1u));
    return x > half ? x - half - half : (x <= -half ? x + half + half : x);
}}
"""
_MODULO = """/* the number of k bits, with sign, that differs from x by a multiple of 2^k */
static inline int64_t modulo_64(int64_t x, uint32_t k)
{
    const uint64_t half = (uint64_t)1 << (k - 1u);
    return (int64_t)(((uint64_t)x + half) & (half + (half - 1u))) - (int64_t)half;
}
"""
_SATURATE = """/* the nearest number within the limits */
static inline int{n}_t saturate_{n}(int{n}_t x, int{n}_t low, int{n}_t high)
{{
    return x < low ? low : (x > high ? high : x);
}}
"""
# a processor that has to divide in software seldom has to
_QUOTIENT = """/* a / b rounded down, for a >= 0 and b > 0 */
static inline int{n}_t quotient_{n}(int{n}_t a, int{n}_t b)
{{
    return a < b ? 0 : a / b;
}}
"""
_REMAINDER = """/* what a leaves over b, for a >= 0 and b > 0 */
static inline int{n}_t remainder_{n}(int{n}_t a, int{n}_t b)
{{
    return a < b ? a : a % b;
}}
"""
_ABSOLUTE = """/* |x| */
static inline int{n}_t magnitude_{n}(int{n}_t x)
{{
    return x < 0 ? -x : x;
}}
"""
_LOWEST = """/* place of the lowest bit that is set, of a number that is not 0 */
static inline uint32_t lowest_bit(uint32_t x)
{
    static const uint8_t place[32] = {
        0, 1, 28, 2, 29, 14, 24, 3, 30, 22, 20, 15, 25, 17, 4, 8,
        31, 27, 13, 23, 21, 19, 16, 7, 26, 12, 18, 6, 11, 5, 10, 9
    };
    return place[(uint32_t)((x & (0u - x)) * 0x077CB531u) >> 27];
}
"""
_BOTH = {
    "size_of": _MAGNITUDE,
    "toward_zero": _TOWARD_ZERO,
    "shift_right": _RIGHT,
    "shift_left": _LEFT,
    "shift": _SHIFT,
    "wrap": _WRAP,
    "saturate": _SATURATE,
    "quotient": _QUOTIENT,
    "remainder": _REMAINDER,
    "magnitude": _ABSOLUTE,
}
_NEEDS = {
    **{f"toward_zero_{n}": [f"size_of_{n}"] for n in (32, 64)},
    **{f"shift_{n}": [f"shift_right_{n}", f"shift_left_{n}"] for n in (32, 64)},
    "scaled_32": ["size_of_32"],
}
#: Name -> definition, in an order in which each comes after those it calls.
DEFINITIONS = {
    **{f"{name}_{n}": text.format(n=n, zero="0u") for n in (32, 64) for name, text in _BOTH.items()},
    "scaled_32": _SCALED,
    "modulo_64": _MODULO,
    "lowest_bit": _LOWEST,
}


def definitions(used: set[str]) -> str:
    """The functions that are used, and those that they use."""
    wanted = {*used, *(other for name in used for other in _NEEDS.get(name, []))}
    return "\n".join(text for name, text in DEFINITIONS.items() if name in wanted)
