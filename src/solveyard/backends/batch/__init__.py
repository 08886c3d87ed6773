"""Batch systems: one backend for each cluster, whatever its dialect and its host."""

from solveyard.backends.batch.cluster import Batch, Memory, Remembered
from solveyard.backends.batch.options import ClusterOptions

__all__ = ["Batch", "ClusterOptions", "Memory", "Remembered"]
