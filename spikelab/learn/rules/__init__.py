"""Learning rules: how a batch becomes gradients. Any torch optimiser then applies them."""
