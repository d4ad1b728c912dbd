"""Taking a class out of a trained classifier by editing the weights that read it out."""
