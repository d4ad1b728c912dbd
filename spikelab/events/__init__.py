"""Event cameras: event arrays, representations and a simulator."""
