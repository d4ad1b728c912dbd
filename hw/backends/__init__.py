"""What an integer graph is written as, one form a file."""
