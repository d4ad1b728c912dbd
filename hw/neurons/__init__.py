"""Integer neurons, one a file: the exact rules of a chip or of its simulator."""
