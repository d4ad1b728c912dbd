"""What training raises when it was asked to stop."""


class TrainingInterrupted(Exception):
    """Training stopped on request, after a checkpoint; the message says how to go on."""
