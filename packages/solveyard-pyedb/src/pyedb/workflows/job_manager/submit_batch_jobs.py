"""solveyard.pyedb.submit_batch_jobs, where PyEDB had it."""

import sys

from solveyard.pyedb import neighbours
from solveyard.pyedb.submit_batch_jobs import main

neighbours.check()

if __name__ == "__main__":
    sys.exit(main())
