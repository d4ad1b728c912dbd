"""What the README shows, runs."""

import re
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def test_python_blocks_run_in_order():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    assert len(blocks) >= 3
    space: dict[str, object] = {}
    for block in blocks:
        exec(block, space)
    assert tuple(space["membrane"].shape) == (100, 8, 20)


def test_the_two_commands_stand_in_the_readme():
    text = README.read_text()
    assert "make run" in text
    assert "make test" in text


def test_pictures_exist():
    text = README.read_text()
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
        assert (README.parent / path).is_file(), path
