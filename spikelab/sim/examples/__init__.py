"""Published networks, each a function that builds it: to run as they are, and to start one's own from."""
