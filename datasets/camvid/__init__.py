"""CamVid: real driving video with labels, and the events that a camera would have seen."""
