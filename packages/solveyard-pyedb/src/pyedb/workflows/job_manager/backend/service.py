"""solveyard.pyedb.service, where PyEDB had it."""

import sys

from solveyard.pyedb import neighbours, starting
from solveyard.pyedb.service import *

neighbours.check()

if __name__ == "__main__":
    sys.exit(starting.service())
