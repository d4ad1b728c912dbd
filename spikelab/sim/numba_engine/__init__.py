"""The engine for one machine: one compiled loop over networks of any kind, on all cores."""
