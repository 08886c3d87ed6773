"""solveyard.pyedb.job_manager_handler, where PyEDB had it."""

import sys

from solveyard.pyedb import neighbours, starting
from solveyard.pyedb.job_manager_handler import *

neighbours.check()

if __name__ == "__main__":
    sys.exit(starting.handler())
