"""How a job's output is read: what there is of it now, and how far somebody is who follows it."""

from collections.abc import Iterator
from typing import Protocol

from solveyard.client.calls import PIECE
from solveyard.client.replies import LogPart
from solveyard.model.records import JobRecord

SOONEST = 0.1  #: s until what has nothing to say for now is looked at once more
LATEST = 2.0


class Logs(Protocol):
    """Where output is read: a client, or the store's own archive."""

    def log(
        self,
        job: str | int,
        stream: str = ...,
        /,
        *,
        offset: int = ...,
        limit: int = ...,
        attempt: int | None = ...,
    ) -> LogPart: ...


def so_far(
    where: Logs, job: str | int, stream: str, offset: int = 0, attempt: int | None = None
) -> Iterator[bytes]:
    """What there is when it is asked for, of one attempt, whatever comes while it is read."""
    part = where.log(job, stream, offset=offset, attempt=attempt)
    size = part.size
    while part.content and part.size >= size:  # less: it was cut meanwhile
        yield part.content
        left = size - part.next_offset
        if left <= 0:
            return
        part = where.log(
            job, stream, offset=part.next_offset, limit=min(PIECE, left), attempt=part.attempt
        )


def present(job: JobRecord) -> int:
    """The attempt that runs or will come next; of an ended job the last."""
    had = len(job.attempts)
    live = had and job.attempts[-1].reason is None and not job.attempts[-1].withdrawn
    return max(1, had) if job.state.final or live else had + 1


class Place:
    """Where somebody is who follows: in which attempt, and how far. Moves on with each part."""

    def __init__(self, offset: int, attempt: int | None = None, *, only: bool = False) -> None:
        self.offset = offset
        self.attempt = attempt  #: None: the newest
        self.pause = 0.0  #: s until it is read again
        self._only = only  #: no other attempt comes after it
        self._size = 0  #: bytes of the output, when it was read last

    def read(self, part: LogPart) -> bytes | None:
        """What is new in `part`; None: its attempt wrote all of it anew, so begin with that."""
        anew = part.size < self._size
        if not anew and not part.content and not part.ended and part.size < self.offset:
            self._wait_longer()  # it isn't that far yet, which is answered at once
        elif anew or part.content or not part.ended:
            self.pause = 0.0
        self.attempt, self._size = part.attempt, part.size
        self.offset = 0 if anew else part.next_offset
        return None if anew else part.content

    def at_end(self, part: LogPart, job: JobRecord) -> bool:
        """Is nothing to come after `part`, which says no more? Else on to where it will come."""
        had = len(job.attempts)
        if self._only:
            return True
        if part.attempt < had:
            self._next(part)
        elif job.state.final:
            return True
        elif part.attempt == had and job.attempts[-1].withdrawn:  # it said nothing
            self._next(part)
        else:  # it is to be tried again
            self._wait_longer()
        return False

    def _next(self, part: LogPart) -> None:
        self.attempt, self.offset, self._size, self.pause = part.attempt + 1, 0, 0, 0.0

    def _wait_longer(self) -> None:
        self.pause = min(max(SOONEST, 2 * self.pause), LATEST)
