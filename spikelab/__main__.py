"""`python -m spikelab` is the `spikelab` command."""

import sys

from spikelab.cli import main

if __name__ == "__main__":
    sys.exit(main())
