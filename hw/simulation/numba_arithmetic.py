"""The integer operations for Numba, in 64 bits; what they mean is said in ``arithmetic``."""

from numba import njit

_jit = njit(inline="always", error_model="numpy")


@_jit
def magnitude(x: int) -> int:
    """|x|."""
    return x if x >= 0 else -x


@_jit
def toward_zero(x: int, n: int) -> int:
    """Gives x / 2^n, its magnitude rounded down."""
    return x >> n if x >= 0 else -((-x) >> n)


@_jit
def shift(x: int, n: int) -> int:
    """Gives x · 2^n, rounded to the smaller number."""
    return x << n if n >= 0 else x >> -n


@_jit
def wrap(x: int, n: int) -> int:
    """Brings x within n bits, wrapped once."""
    half = 1 << (n - 1)
    return x - 2 * half if x > half else (x + 2 * half if x <= -half else x)


@_jit
def saturate(x: int, low: int, high: int) -> int:
    """Brings x within limits."""
    return low if x < low else (high if x > high else x)


@_jit
def quotient(a: int, b: int) -> int:
    """Gives a / b rounded down, of a number that is not negative and a positive one."""
    return a // b


@_jit
def remainder(a: int, b: int) -> int:
    """What a leaves over b."""
    return a % b


@_jit
def positive(x: int) -> int:
    """1 where x > 0, else 0."""
    return 1 if x > 0 else 0


@_jit
def choose(c: int, a: int, b: int) -> int:
    """Gives a where c > 0, else b."""
    return a if c > 0 else b
