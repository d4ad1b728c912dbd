"""Training: one loop, metrics, distributed set-up."""
