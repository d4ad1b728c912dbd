"""From a network to populations and connections in real numbers, and to the units in which they become whole."""
