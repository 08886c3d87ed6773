"""solveyard.pyedb.submit_job_on_scheduler, where PyEDB had it."""

import sys

from solveyard.pyedb import neighbours
from solveyard.pyedb.submit_job_on_scheduler import main

neighbours.check()

if __name__ == "__main__":
    sys.exit(main())
