"""The suite on a stand-in for Windows HPC Pack, whose batch files a stand-in for cmd runs."""

from conformance.batch_suite import *  # noqa: F403
from conformance.batch_troubles import *  # noqa: F403

SITES = ("winhpc",)
