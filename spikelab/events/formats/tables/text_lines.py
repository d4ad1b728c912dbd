"""Lines of numbers to events: a parser of bytes that is exact, fast, and knows the line where something is wrong.

Times are kept as whole digits and a power of ten until the end, so 0.003811 s is 3811 us and never one less.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# what is wrong with a line
FINE, NO_NUMBER, TOO_FEW, TOO_MANY, NO_PIXEL, NO_POLARITY, TOO_LARGE, MIXED_POLARITIES = range(8)

WHY = {
    NO_NUMBER: "holds something that is no number",
    TOO_FEW: "has too few columns",
    TOO_MANY: "has too many columns",
    NO_PIXEL: "has an x or y that is no whole number from 0 to 65535",
    NO_POLARITY: "has a polarity that is neither 0 or 1 nor -1 or 1",
    TOO_LARGE: "has a time beyond what 64 bits of microseconds hold",
    MIXED_POLARITIES: "has polarity 0 in a file where others are -1, or the other way round",
}

# places in the state
LINE, ZERO_SEEN, MINUS_SEEN = range(3)

# roles of columns
IGNORED, T, X, Y, P = range(5)

_DIGITS = 18
"""Most digits that a number of 64 bits surely holds; more behind the point are far below a nanosecond."""

_TAB, _NEWLINE, _RETURN, _SPACE, _HASH, _PERCENT, _COMMA, _SEMICOLON = 9, 10, 13, 32, 35, 37, 44, 59
_PLUS, _MINUS, _POINT, _SLASH, _ZERO, _NINE = 43, 45, 46, 47, 48, 57


@njit(inline="always")
def _number(text, place):
    """Digits, power of ten, and the place behind a number; the place is -1 if it is none."""
    negative = text[place] == _MINUS
    if negative or text[place] == _PLUS:
        place += 1
    power, count, any_digit, point = 0, 0, False, False
    digits = exponent = np.int64(0)  # what is made of unsigned bytes alone would become a float
    while True:
        byte = text[place]
        if _ZERO <= byte <= _NINE:
            any_digit = True
            if count < _DIGITS:
                digits = np.int64(digits * 10 + (np.int64(byte) - _ZERO))
                count += 1 if digits > 0 else 0
                power -= point
            else:
                power += not point
        elif byte == _POINT and not point:
            point = True
        else:
            break
        place += 1
    if not any_digit:
        return digits, power, -1
    if text[place] | 32 == 101:  # e
        place += 1
        minus = text[place] == _MINUS
        if minus or text[place] == _PLUS:
            place += 1
        begin = place
        while _ZERO <= text[place] <= _NINE and place - begin < 4:
            exponent = np.int64(exponent * 10 + (np.int64(text[place]) - _ZERO))
            place += 1
        if place == begin:
            return digits, power, -1
        power += int(-exponent if minus else exponent)
    return (-digits if negative else digits), power, place


@njit(inline="always")
def _scaled(digits, power):
    """Digits times a power of ten, rounded; and whether that is exact, rounded (False), or too large (-1)."""
    exact = 1
    while power > 0 and digits != 0:
        if abs(digits) > 900_000_000_000_000_000:
            return digits, -1
        digits *= 10
        power -= 1
    if power < 0:
        divisor = 1
        while power < 0 and divisor < 10**18:
            divisor *= 10
            power += 1
        if power < 0:
            return np.int64(0), 1 if digits == 0 else 0
        whole = abs(digits) // divisor
        rest = abs(digits) - whole * divisor
        if rest:
            exact = 0
            whole += rest >= divisor - rest
        digits = whole if digits >= 0 else -whole
    return digits, exact


@njit(cache=True, nogil=True)
def parse(text, place, stop, columns, power_of_time, state, t, x, y, p):
    """Events of whole lines, until the columns are full.

    Args:
        text: bytes; each line up to `stop` ends with a newline.
        place: where to begin.
        stop: where to end.
        columns: role of each column.
        power_of_time: power of ten that makes microseconds of times.
        state: as `LINE` and what follows name its places; kept from call to call.
        t: microseconds, to be filled; the others likewise.
        x: columns.
        y: rows.
        p: polarities.

    Returns:
        The place behind the last line that was read, the number of events, and what is wrong with the line there.
    """
    line, zero_seen, minus_seen = state[LINE], state[ZERO_SEEN], state[MINUS_SEEN]
    count = 0
    wrong = FINE
    begin = place
    while begin < stop and count < t.size:
        place = begin
        found = 0
        while True:
            byte = text[place]
            if byte == _SPACE or byte == _COMMA or byte == _TAB or byte == _RETURN or byte == _SEMICOLON:
                place += 1
                continue
            if byte == _NEWLINE:
                break
            if found == 0 and (byte == _HASH or byte == _PERCENT or (byte == _SLASH and text[place + 1] == _SLASH)):
                while text[place] != _NEWLINE:
                    place += 1
                break
            if found == columns.size:
                wrong = TOO_MANY
                break
            digits, power, end = _number(text, place)
            if end < 0 or not (text[end] <= _SPACE or text[end] == _COMMA or text[end] == _SEMICOLON):
                wrong = NO_NUMBER
                break
            role = columns[found]
            if role == T:
                value, exact = _scaled(digits, power + power_of_time)
                if exact < 0:
                    wrong = TOO_LARGE
                    break
                t[count] = value
            elif role != IGNORED:
                value, exact = (digits, 1) if power == 0 else _scaled(digits, power)
                if role == P:
                    if exact != 1 or value < -1 or value > 1:
                        wrong = NO_POLARITY
                        break
                    zero_seen |= value == 0
                    minus_seen |= value == -1
                    if zero_seen and minus_seen:
                        wrong = MIXED_POLARITIES
                        break
                    p[count] = value == 1
                else:
                    if exact != 1 or value < 0 or value > 65535:
                        wrong = NO_PIXEL
                        break
                    if role == X:
                        x[count] = value
                    else:
                        y[count] = value
            found += 1
            place = end
        if wrong == FINE and 0 < found < columns.size:
            wrong = TOO_FEW
        if wrong != FINE:
            break
        count += found > 0
        line += 1
        begin = place + 1
    state[LINE], state[ZERO_SEEN], state[MINUS_SEEN] = line, zero_seen, minus_seen
    return begin, count, wrong
