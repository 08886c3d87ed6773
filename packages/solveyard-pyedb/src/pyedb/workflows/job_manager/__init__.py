"""The PyEDB job manager's names, as solveyard has them."""

from solveyard.pyedb import neighbours
from solveyard.pyedb.job_manager_handler import JobManagerHandler

__all__ = ["JobManagerHandler"]

neighbours.check()
