"""The suite on a real Slurm."""

from conformance.batch_suite import *  # noqa: F403

SITES = ("slurm",)
