"""Learning one task after the other: streams of tasks, methods against forgetting, and what is measured of them."""
