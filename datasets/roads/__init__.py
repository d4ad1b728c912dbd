"""Procedural driving scenes: seen by an event camera and a frame camera, and labelled without error."""
