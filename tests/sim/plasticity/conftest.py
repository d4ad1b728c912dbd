"""Makes the slow interpreter of rules and the bench for single projections importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
