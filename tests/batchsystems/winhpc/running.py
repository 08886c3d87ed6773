"""What a job of HPC Pack finds on its node, and how it is ended there.

There it is Ctrl-Break and, after a grace, the end of its job object; here TERM and KILL.
"""

import signal

from batchsystems.state import Job

STEPS = AT_LIMIT = (signal.SIGTERM, signal.SIGKILL)


def environment(job: Job, index: str) -> dict[str, str]:
    return {
        "CCP_JOBID": str(job.number),
        "CCP_TASKID": "1",
        "CCP_JOBNAME": job.name,
        "CCP_NODES": f"1 NODE1 {job.cores}",
        "COMPUTERNAME": "NODE1",
    }


def path(text: str, job: Job, index: str) -> str:
    """Of its output."""
    return text.replace("\\", "/")
