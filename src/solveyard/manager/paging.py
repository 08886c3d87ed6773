"""Pages of jobs from what the manager has in memory, where a look at the newest is enough."""

from solveyard.core.roll import Roll
from solveyard.manager.tally import Tally
from solveyard.manager.turns import Turns
from solveyard.model.jobs import Job, JobId
from solveyard.store.base import Filter, Page, Store
from solveyard.store.codec import cursor_before, read_cursor
from solveyard.workers import Workers

LOOKS = 2000  #: numbers that are looked up for one page, at most


class Pages:
    """Asks the store only for what the newest jobs in memory and the totals don't tell."""

    def __init__(self, turns: Turns, store: Store, readers: Workers) -> None:
        self._turns = turns
        self._store = store
        self._readers = readers

    async def page(self, which: Filter, limit: int, cursor: str | None, offset: int) -> Page:
        """Raises InvalidRequest as the store does."""
        total = total_of(self._turns.kept.tally, which)
        if total is not None and limit > 0:
            last = JobId(self._turns.engine.counter.next - 1)
            found = newest(self._turns.jobs, last, which, limit, cursor, offset)
            if found is not None:
                return Page(found[0], total, found[1])
        return await self._readers.call(
            lambda: self._store.page(which, limit, cursor, offset, total=total)
        )


def total_of(tally: Tally, which: Filter) -> int | None:
    """How many the filter has; None: they have to be counted."""
    if which != Filter(owner=which.owner, states=which.states):
        return None
    return tally.total(which.owner, which.states)


def newest(
    jobs: Roll,
    last: JobId,
    which: Filter,
    limit: int,
    cursor: str | None = None,
    offset: int = 0,
) -> tuple[list[Job], str | None] | None:
    """Jobs and cursor of the store's page; None: it takes a look at older ones.

    `last`: no job has a larger number. `which` asks for owner and states alone.

    Raises InvalidRequest when the cursor is not one of ours.
    """
    start = last if cursor is None else min(last, read_cursor(cursor) - 1)
    end = offset + limit
    if end >= LOOKS:
        return None
    found: list[Job] = []
    for number in range(start, max(start - LOOKS, 0), -1):
        if (waits := jobs.away(JobId(number))) is not None:
            if which.states is None or waits in which.states:
                return None
            continue
        job = jobs.get(JobId(number))
        if job is None or (which.owner is not None and job.owner != which.owner):
            continue
        if which.states is None or job.state in which.states:
            found.append(job)
            if len(found) > end:
                break
    more = len(found) > end
    if not more and start > LOOKS:
        return None
    chosen = found[offset:end]
    return chosen, cursor_before(chosen[-1].id) if more else None
