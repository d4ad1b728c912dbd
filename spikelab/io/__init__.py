"""Files: checkpoints and NIR graphs."""
