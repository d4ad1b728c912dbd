"""Compressed video files: what the codec already knows of the motion, without optical flow or a patched decoder."""
