"""solveyard.pyedb.submit_local_job, where PyEDB had it."""

import sys

from solveyard.pyedb import neighbours
from solveyard.pyedb.submit_local_job import main

neighbours.check()

if __name__ == "__main__":
    sys.exit(main())
