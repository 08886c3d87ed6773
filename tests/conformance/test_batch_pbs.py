"""The suite on a stand-in for OpenPBS that keeps a history of its jobs."""

from conformance.batch_suite import *  # noqa: F403
from conformance.batch_troubles import *  # noqa: F403

SITES = ("pbs",)
