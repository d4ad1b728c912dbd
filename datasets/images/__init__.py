"""Still pictures with one class each."""
