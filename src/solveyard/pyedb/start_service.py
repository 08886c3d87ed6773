"""`python -m ...start_service`: run the job manager, with limits."""

import sys

from solveyard.pyedb import starting

if __name__ == "__main__":
    sys.exit(starting.start_service())
