"""`python -m solveyard.cli`: the same as `solveyard`."""

import sys

from solveyard.cli import main

sys.exit(main())
