"""The `spikelab export` command."""

from pathlib import Path
from typing import Any

from spikelab.learn.restore import load_run
from spikelab.settings import Export


def export_run(settings: Export) -> dict[str, Any]:
    """Let a trained model write itself for other tools.

    Args:
        settings: The run, the checkpoint and the folder.

    Returns:
        `files`: what was written; `manifest`: how the parts fit together.

    Raises:
        RunError: If the run is not there.
        CheckpointError: If its checkpoint is damaged or does not fit.
        ValueError: If its model has no export.
    """
    run = load_run(settings.run, settings.checkpoint)
    model: Any = run.model
    if not hasattr(model, "export"):
        raise ValueError(f"model {run.settings.model.name!r} has no export to {settings.format}")
    folder = Path(settings.folder or run.folder.path / "export")
    height, width = run.sample_shapes["frame"][-2:]
    manifest = model.export(folder, settings.height or height, settings.width or width)
    return {"files": [str(folder / name) for name in [*manifest["sha256"], "manifest.json"]], "manifest": manifest}
