"""What several tests of the event-driven engine need."""

import mpmath
import pytest


@pytest.fixture(scope="session")
def rising_zero():
    """A function that finds the zero between 0 and a time at which another function is positive, to 30 digits."""

    def find(function, end):
        low, high = mpmath.mpf(0), mpmath.mpf(end)
        for _ in range(110):
            middle = (low + high) / 2
            low, high = (low, middle) if function(middle) > 0 else (middle, high)
        return high

    return find
