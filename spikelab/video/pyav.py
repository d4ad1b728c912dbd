"""PyAV, the Python binding of FFmpeg's libraries, which an extra brings."""

try:
    import av
except ImportError as error:
    raise ImportError("video files need PyAV: pip install 'spikelab[video]'") from error

__all__ = ["av"]
