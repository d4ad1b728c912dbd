"""Tables of events: text, NumPy, MATLAB and plain records."""
