"""solveyard.pyedb.job_submission, where PyEDB had it."""

from solveyard.pyedb import neighbours
from solveyard.pyedb.job_submission import *

neighbours.check()
