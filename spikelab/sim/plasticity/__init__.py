"""How weights change: rules as equations, and the choice of one with values."""
