"""The page on plasticity: its code runs as it stands, and changes weights."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "plasticity.md"


def test_the_code_runs():
    names = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)), names)
    weights = names["network"].weights(names["learning"])
    assert weights.mean() == pytest.approx(10e-12, rel=0.5)
    assert weights.std() > 0
