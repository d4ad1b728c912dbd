"""The writers of small data sets beside this file, and those of event files, can be imported by every test here."""

import sys
from pathlib import Path

for folder in (Path(__file__).parent, Path(__file__).parents[1] / "events" / "files"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
