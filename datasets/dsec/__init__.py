"""DSEC-Semantic: driving recordings of a Prophesee camera beside a frame camera, with labels."""
