"""What NEST cannot express is refused, never dropped."""


class NotSupported(ValueError):
    """A part of a network that NEST cannot express; the message names it and says what to do."""


#: How most refusals end.
ELSEWHERE = "run the network with engine='numba'"
