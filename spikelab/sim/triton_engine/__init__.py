"""The engine for a CUDA device: every array on the device, kernels generated from the equations, written in Triton."""

try:
    import triton as _triton  # noqa: F401
except ImportError as error:
    raise ImportError(
        "the engine 'triton' needs the package triton, which runs on Linux: pip install 'spikelab[cuda]'"
    ) from error
