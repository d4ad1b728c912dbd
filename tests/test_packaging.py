"""The package is whole: every folder is listed, the links stand, no name is imported twice."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOP_FOLDERS = ("models", "datasets", "hw")


def test_every_package_folder_is_listed_in_pyproject():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = set()
    for base in ("spikelab", *TOP_FOLDERS):
        for init in (ROOT / base).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT).parts
            # rglob follows links on some Python versions: count each folder once, under its public name
            if parts[0] == "spikelab" and len(parts) > 1 and parts[1] in TOP_FOLDERS:
                continue
            found.add(".".join(parts if parts[0] == "spikelab" else ("spikelab", *parts)))
    assert found == listed


def test_links_are_relative_and_lead_to_the_top_folders():
    for name in TOP_FOLDERS:
        link = ROOT / "spikelab" / name
        assert link.is_symlink()
        assert str(link.readlink()) == f"../{name}"


def test_top_folders_are_imported_only_under_spikelab():
    code = (
        "import sys, spikelab.models, spikelab.datasets, spikelab.hw\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('models', 'datasets', 'hw')]\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
