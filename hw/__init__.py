"""Export to event hardware."""
