"""solveyard.pyedb.start_service, where PyEDB had it."""

import sys

from solveyard.pyedb import neighbours, starting

neighbours.check()

if __name__ == "__main__":
    sys.exit(starting.start_service())
