"""What a job of LSF finds on its host, and how it is ended there."""

import signal

from batchsystems.state import Job

#: One after the other, a grace between.
STEPS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
AT_LIMIT = (signal.SIGUSR2, *STEPS)


def environment(job: Job, index: str) -> dict[str, str]:
    return {
        "LSB_JOBID": str(job.number),
        "LSB_JOBINDEX": index or "0",
        "LSB_JOBNAME": f"{job.name}[{index}]" if index else job.name,
        "LSB_QUEUE": job.queue,
        "LSB_HOSTS": " ".join(["volhost"] * job.cores),
        "LSB_MCPU_HOSTS": f"volhost {job.cores}",
        "LSB_SUB_HOST": "volhost",
    }


def path(text: str, job: Job, index: str) -> str:
    """Of its output."""
    return text.replace("%J", str(job.number)).replace("%I", index or "0")
