"""Where somebody is who follows a job's output: in which of its attempts, and how far."""

from solveyard.client.calls import LogPart
from solveyard.model.records import JobRecord

SOONEST = 0.1  #: s until a job that is to be tried again is looked at once more
LATEST = 2.0


class Place:
    """Moves on with each part that is read, until the job has ended."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.attempt: int | None = None  #: None: the newest
        self.pause = 0.0  #: s until it is read again
        self._size = 0  #: bytes of the output, when it was read last

    def read(self, part: LogPart) -> bytes | None:
        """What is new in `part`; None: its attempt wrote all of it anew, so begin with that."""
        anew = part.size < self._size
        self.attempt, self._size = part.attempt, part.size
        self.offset = 0 if anew else part.next_offset
        self.pause = 0.0 if part.content else self.pause
        return None if anew else part.content

    def at_end(self, part: LogPart, job: JobRecord) -> bool:
        """Is nothing to come after `part`, which says no more? Else on to where it will come."""
        had = len(job.attempts)
        if part.attempt < had:
            self.attempt, self.offset, self._size = part.attempt + 1, 0, 0
            self.pause = 0.0
        elif job.state.final:
            return True
        elif job.attempts[-1].withdrawn:  # it said nothing; another one will, from the beginning
            self.attempt, self.pause = None, 0.0
        else:  # it is to be tried again
            self.pause = min(max(SOONEST, 2 * self.pause), LATEST)
        return False
