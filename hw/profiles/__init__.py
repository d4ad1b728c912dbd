"""How a kind of chip computes, one file each: its neurons, its weights, what a connection costs in time."""
