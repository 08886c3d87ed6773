"""What a job of PBS finds on its node, and how it is ended there."""

import signal

from batchsystems.pbs import words
from batchsystems.state import Job

#: One after the other, a grace between.
STEPS = AT_LIMIT = (signal.SIGTERM, signal.SIGKILL)


def environment(job: Job, index: str) -> dict[str, str]:
    own = {"PBS_JOBID": words.native(job, index), "PBS_NODENUM": "0"}
    if index:
        own |= {"PBS_ARRAY_INDEX": index, "PBS_ARRAY_ID": words.native(job)}
    return own


def path(text: str, job: Job, index: str) -> str:
    """Of its output."""
    if index and "^array_index^" not in text and text != "/dev/null":
        text += ".^array_index^"
    return text.replace("^array_index^", index)
