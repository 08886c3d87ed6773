"""Removal of jobs: with their files where asked, and at a trickle what the retention lets go.

Deleting much at once makes file systems slow for the jobs that start meanwhile.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from weakref import WeakValueDictionary

from solveyard.core import retention
from solveyard.core.retention import Ended, Policy
from solveyard.manager.belongings import Belongings, delete
from solveyard.manager.claims import BELIEVED, Named
from solveyard.manager.turns import Turns
from solveyard.model.errors import Conflict, InvalidRequest, StoreError, StoreFull
from solveyard.model.ids import array_of
from solveyard.model.jobs import WAITING, Job, JobId, JobSpec
from solveyard.model.messages import Remove
from solveyard.notify import Notices
from solveyard.store.base import Store
from solveyard.workers import Workers

log = logging.getLogger(__name__)

BY = "retention"  #: who asks for the removals
LOOK = 30.0  #: s between two looks at what is to go
AGAIN = 600.0  #: s until files are tried again that couldn't be looked at
PAUSE = 0.25  #: s between two removals, and two slices of files or events
CALM = 1.0  #: s without a launch after which something is removed
PATIENCE = 15.0  #: s that launches can put a removal off
SLICE = 500  #: jobs that are looked at between two turns of the loop
PIECES = 20  #: files or folders that are deleted at once, and jobs whose sizes are
EVENTS = 500  #: that are forgotten at once


class Retention:
    """Of one manager; `run` removes."""

    def __init__(
        self,
        turns: Turns,
        store: Store,
        belongings: Belongings,
        policy: Policy,
        notices: Notices,
    ) -> None:
        """What is still to be told by `notices` stays."""
        self.policy = policy
        self._notices = notices
        self._turns = turns
        self._store = store
        self._belongings = belongings
        self._asked: list[Policy] = []
        self._news = asyncio.Event()
        self._launched = 0.0  #: by the loop's clock
        self._sizes: dict[JobId, Ended] = {}  #: as they were measured
        self._finish_at = math.inf  #: when marked files are tried, by the loop's clock
        self._disk = Workers("remover")
        self._looks = Workers("claims")  #: for those who wait: `_disk` may be long at something
        #: Removed jobs whose files are still to be deleted: nobody is given a folder of theirs
        self._leaving = {job for job in belongings.marked() if job not in turns.jobs}
        self._locks: WeakValueDictionary[JobId, asyncio.Lock] = WeakValueDictionary()

    def launched(self) -> None:
        """Jobs are being started now."""
        self._launched = asyncio.get_running_loop().time()

    async def remove(
        self, job: JobId, by: str, *, files: bool, pause: float = 0.0, spare: bool = False
    ) -> bool:
        """Forget an ended job; with `files` also what is its alone, in slices with pauses.

        False: some of that stays, as the log says. `spare`: not one that somebody wants
        kept. Raises UnknownJob, Conflict; StoreError.
        """
        asked = Remove(job=job, by=by, spare=spare)
        known = self._turns.jobs.get(job)
        if known is not None and array_of(job) is None:
            retention.check_ended(known)  # an end that isn't on disk yet isn't in the outbox either
            await self._notices.caught_up()
        if job not in self._turns.jobs:  # whoever removed it may still be deleting
            await self._turns.ask(asked)
            return True
        async with self._alone(job):
            if job not in self._turns.jobs:
                await self._turns.ask(asked)
            elif files:
                await self._begin(asked)
                return await self._delete(job, pause)
            else:
                await self._disk.call(partial(self._belongings.unmark, job))
                await self._turns.ask(asked)
        return True

    async def _begin(self, asked: Remove) -> None:
        """Mark a job whose files are to go, and have its record go."""
        job = asked.job
        await self._disk.call(partial(self._belongings.mark, job))
        self._leaving.add(job)
        try:
            await self._turns.ask(asked)  # and whoever named a folder of it before is known then
        except (InvalidRequest, StoreError):
            self._leaving.discard(job)
            await self._disk.call(partial(self._belongings.unmark, job))
            raise

    async def spare(self, specs: Sequence[JobSpec]) -> None:
        """Refuse `specs` that name a folder whose files are being deleted. Submit them at once
        when this returns: what leaves later leaves what they named.

        Raises Conflict.
        """
        named = Named.by(specs)
        self._belongings.doubt(named)
        seen: set[JobId] = set()
        while any(named) and (fresh := self._leaving - seen):
            seen |= fresh
            try:
                job = await self._looks.call(partial(self._belongings.claimed, fresh, named))
            except OSError as error:
                raise Conflict(
                    f"`directory` {error.filename} can't be looked at ({error.strerror}), and may"
                    " be in the folder of a removed job, whose files are being deleted (make it"
                    " readable, name another folder, or submit again later)"
                ) from error
            if job is not None:
                raise Conflict(
                    f"`directory` is in the folder of job {job}, which was removed: its files are"
                    " being deleted (name another folder, or submit again later)"
                )

    def ask(self, policy: Policy) -> None:
        """Have it applied once, soon."""
        self._asked.append(policy)
        self._news.set()

    async def going(self, policy: Policy) -> list[Ended]:
        """What would go now; with sizes where files go."""
        over = await self._disk.call(self._store.ended)
        waited_for = self._turns.engine.scheduler.dependencies.waited_for()
        keeps = self._turns.kept.keeps
        those: list[Ended] = []
        for start in range(0, len(over), SLICE):
            those += [
                Ended(one.job, one.ended_at, one.failed)
                for one in over[start : start + SLICE]
                if retention.may_go(one.job, waited_for, keeps)
            ]
            await asyncio.sleep(0)
        if policy.max_size is not None:
            those = await self._measured(those)
        found = retention.going(those, policy, self._turns.ago)
        return await self._measured(found) if policy.files else found

    async def run(self) -> None:
        """Until cancelled. What was begun before is finished first."""
        clock = asyncio.get_running_loop().time
        self._finish_at = clock()
        while True:
            self._news.clear()
            if clock() >= self._finish_at:
                self._finish_at = math.inf
                await self._finish()
            asked, self._asked = self._asked, []
            for policy in (self.policy, *asked):
                if policy.bounds:
                    await self._apply(policy)
            wait = min(LOOK if self.policy.bounds else math.inf, self._finish_at - clock())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait if wait < math.inf else None):
                    await self._news.wait()

    def close(self) -> None:
        """After `run` has ended."""
        self._disk.close()
        self._looks.close()

    def _alone(self, job: JobId) -> asyncio.Lock:
        """Of the removals of one job the next begins where the one before is over: the mark and
        the place in `_leaving` are one's own.
        """
        return self._locks.setdefault(job, asyncio.Lock())

    async def _finish(self) -> None:
        """What was marked is deleted now, or forgotten where the job is still there."""
        try:
            marked = await self._disk.call(self._belongings.marked)
        except StoreError as error:
            log.warning("removals put off", extra={"error": str(error)})
            return
        for job in marked:
            try:
                async with self._alone(job):
                    if job in self._turns.jobs:
                        await self._disk.call(partial(self._belongings.unmark, job))
                    else:
                        self._leaving.add(job)
                        await self._calm()
                        await self._delete(job, PAUSE)
            except (StoreError, OSError) as error:
                log.warning("removal put off", extra={"job": job, "error": str(error)})

    async def _apply(self, policy: Policy) -> None:
        try:
            for one in await self.going(policy):
                await self._calm()
                await self._let_go(one, files=policy.files)
            await self._compact(policy)
        except (StoreError, OSError) as error:
            log.warning("removal put off", extra={"error": str(error)})

    async def _let_go(self, one: Ended, *, files: bool) -> None:
        """Where that fails for its own sake, the others go all the same. Raises StoreFull."""
        try:
            job = self._turns.jobs.get(one.job)
            if job is None or job.ended_at != one.ended_at:
                return
            # it has begun anew, or somebody waits for it or wants it kept by now
            with contextlib.suppress(InvalidRequest):
                await self.remove(one.job, BY, files=files, pause=PAUSE, spare=True)
        except StoreFull:
            raise
        except (StoreError, OSError) as error:
            log.warning("removal put off", extra={"job": one.job, "error": str(error)})

    async def _delete(self, job: JobId, pause: float) -> bool:
        """False: some stays."""
        jobs, away = list(self._turns.jobs.values()), self._turns.kept.directories_away()
        since = self._turns.ago(BELIEVED)

        def pieces() -> tuple[Named, list[Path]]:
            lately = {one.directory for one in jobs if _ran(one, since)}
            self._belongings.doubt(Named(lately))
            named = Named.by((one.spec for one in jobs), {*away, *lately})
            return named, list(self._belongings.pieces(job, named))

        try:
            named, waiting = await self._disk.call(pieces)
            for start in range(0, len(waiting), PIECES):
                some = waiting[start : start + PIECES]
                if start and pause:
                    await self._calm()
                await self._disk.call(partial(delete, some))
            if await self._disk.call(partial(self._belongings.roots, job, named)):
                log.warning("files of a removed job stay", extra={"job": job})
                return False
            await self._disk.call(partial(self._belongings.unmark, job))
        except OSError as error:  # its mark stays: they are tried again
            log.warning("files of a removed job stay", extra={"job": job, "error": str(error)})
            if self._finish_at == math.inf:
                self._finish_at = asyncio.get_running_loop().time() + AGAIN
                self._news.set()
            return False
        else:
            return True
        finally:
            self._leaving.discard(job)

    async def _measured(self, those: Sequence[Ended]) -> list[Ended]:
        """With the size of each; that of an ended job is measured once."""
        for start in range(0, len(those), PIECES):
            unknown = [
                one
                for one in those[start : start + PIECES]
                if one.job not in self._sizes or self._sizes[one.job].ended_at != one.ended_at
            ]
            measured = await self._disk.call(partial(self._measure, unknown))
            self._sizes.update((one.job, one) for one in measured)
        self._sizes = {i: one for i, one in self._sizes.items() if i in self._turns.jobs}
        return [
            one._replace(size=self._sizes[one.job].size) for one in those if one.job in self._sizes
        ]

    def _measure(self, those: Sequence[Ended]) -> list[Ended]:
        """But for those whose files can't be looked at now."""
        measured = []
        for one in those:
            try:
                measured.append(one._replace(size=self._belongings.size(one.job)))
            except OSError as error:
                log.warning("size not known", extra={"job": one.job, "error": str(error)})
        return measured

    async def _compact(self, policy: Policy) -> None:
        """Forget events from before all jobs that are there, in slices."""
        turns, keeps = self._turns, self._turns.kept.keeps
        over = await self._disk.call(self._store.ended)
        there = [job.submitted_at for job in turns.jobs.values() if not job.state.final]
        there += [one.submitted_at for one in over if not keeps(one.job)]
        begins = retention.log_begins([turns.kept.oldest(), *there], policy, turns.ago)
        more = True
        while more:
            after = turns.first - 1
            events = await self._disk.call(partial(self._store.events, after, EVENTS))
            old = [one.number for one in events if one.event.at < begins]
            before = min(old[-1] + 1, turns.last) if old else 0
            if (read := self._notices.read) is not None:
                before = min(before, read + 1)
            if before <= turns.first:
                return
            turns.first = before  # who asks meanwhile is told
            await self._disk.call(partial(self._store.compact, before))
            more = len(old) == EVENTS
            await self._calm()

    async def _calm(self) -> None:
        """A pause; a longer one while jobs are being launched."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        left = PAUSE
        while left > 0.0:
            await asyncio.sleep(left)
            left = min(self._launched + CALM, deadline) - loop.time()


def _ran(job: Job, since: float) -> bool:
    """Has it run since then, or may it have?"""
    if job.is_array or job.state in WAITING:
        return False
    return job.ended_at is None or job.ended_at > since
