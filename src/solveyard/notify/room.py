"""Notices, from the log to their receivers: at least once, and in nobody's way.

Chosen ends go into an outbox in the store, together with how far the log was read. Each receiver
has a task of its own that empties it; what was committed and not read is read at the next start.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from solveyard.core import notices
from solveyard.model import reading
from solveyard.model.errors import InvalidJob, StoreError, StoreUnusable
from solveyard.model.jobs import Job, JobId, JobSpec
from solveyard.model.messages import JobEnded
from solveyard.model.notices import Notice, NoticeRecord, NoticeState, ReceiverRecord, record
from solveyard.model.records import JobRecord
from solveyard.notify import payload
from solveyard.notify.delivering import Deliveries, attempt
from solveyard.notify.standing import receivers
from solveyard.notify.ways import Recipient
from solveyard.store.base import NOT_READ, Numbered, Store
from solveyard.workers import Workers

log = logging.getLogger(__name__)

SLICE = 1000  #: events that are read at once
QUIET = 30.0  #: s after which it's noted how far the log was read, though nothing was chosen
AGAIN = 5.0  #: s after a fault of ours, or of the store's
PATIENCE = 10.0  #: s that the removal of a job waits for notices of its end to be written


@dataclass(frozen=True)
class View:
    """What is told of jobs."""

    look: Callable[[JobId], Job | None]  #: a job as it is on disk
    record: Callable[[Job], JobRecord]
    public_url: str = ""


class Notices:
    """Of one manager."""

    def __init__(self, store: Store, last: int, recipients: Sequence[Recipient], view: View):
        """`last`: the newest event's number. Whoever reads the log for the first time begins there,
        and what ends while there are no recipients is told to nobody.
        """
        self._store = store
        self._view = view
        self._disk = Workers("notices")
        self._deliveries = {
            one.receiver.name: Deliveries(one, store, self._disk) for one in recipients
        }
        self._fresh: list[Notice] = []  #: chosen, and not in the outbox yet
        self._seen = last  #: the newest event that was looked at
        self._news = asyncio.Event()
        self._written = self._until = last
        with contextlib.suppress(StoreError):  # the next start does it
            self._begin(store.notices_read(), last)
        self._caught_up = asyncio.Event()
        if self._written == self._until:
            self._caught_up.set()

    def _begin(self, read: int, last: int) -> None:
        wanted = bool(self._deliveries)
        if wanted and read != NOT_READ:
            self._written = read
        elif wanted or read != NOT_READ:
            self._store.keep_notices([], last if wanted else NOT_READ)

    def check(self, spec: JobSpec) -> None:
        """Raises InvalidJob where it names a receiver that there isn't."""
        for name in spec.notify:
            if why := self.unknown(name):
                raise InvalidJob(why)

    def unknown(self, name: str) -> str:
        """Why it names no receiver; or ""."""
        if name in self._deliveries:
            return ""
        known = ", ".join(sorted(self._deliveries)) or "none"
        hint = reading.nearest(name, self._deliveries)
        return (
            f"the settings name no receiver {name!r}{hint} (there is: {known}; add a table"
            f" [notify.{name}] to config.toml, and restart the manager)"
        )

    def take(self, numbered: Sequence[Numbered]) -> None:
        """Events that are on disk now, in order."""
        if not self._deliveries:
            return
        chosen = self._chosen(numbered)
        self._fresh += chosen
        self._seen = numbered[-1].number
        if chosen:
            self._caught_up.clear()
            self._news.set()

    @property
    def read(self) -> int | None:
        """The log was read up to this number, and isn't needed up to there; None: nobody reads."""
        return self._written if self._deliveries else None

    async def caught_up(self) -> None:
        """Until those who want to know of the ends so far have them in the outbox. StoreError."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._caught_up.wait()
        except TimeoutError as error:
            raise StoreUnusable(
                "notices of how jobs ended are not written yet, so nothing is removed (try again)"
            ) from error

    async def standings(self) -> list[ReceiverRecord]:
        """How each receiver stands, by name."""
        recipients = [one.recipient for one in self._deliveries.values()]
        return receivers(recipients, await self._disk.call(self._store.standings))

    async def recent(self, name: str, state: NoticeState | None, limit: int) -> list[NoticeRecord]:
        """Of one receiver, those of the newest ends first."""
        found = await self._disk.call(lambda: self._store.notices(name, state, limit))
        return [record(one, payload.notice_id(self._store.uuid, one.event, name)) for one in found]

    async def test(self, name: str) -> str:
        """Have a test delivered to a receiver that there is; why it wasn't, or ""."""
        now = time.time()
        notice = payload.notice_id(self._store.uuid, 0, f"{name}.{now:.3f}")
        way = self._deliveries[name].recipient.way
        return await attempt(way, notice, payload.test(notice, name, now))

    async def run(self) -> None:
        """Until cancelled."""
        if not self._deliveries:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_lasting(self._keep))
            for one in self._deliveries.values():
                tasks.create_task(_lasting(one.run))

    def close(self) -> None:
        """After `run` has ended."""
        self._disk.close()

    # Inside

    def _chosen(self, numbered: Sequence[Numbered]) -> list[Notice]:
        found: list[Notice] = []
        for one in numbered:
            if isinstance(one.event, JobEnded) and notices.told(one.event):
                try:
                    found += self._of(one, one.event)
                except Exception:  # no job, and no other notice, waits for it
                    log.exception("an end is told to nobody", extra={"job": one.event.job})
        return found

    def _of(self, numbered: Numbered, event: JobEnded) -> list[Notice]:
        """Those of one end."""
        job = self._view.look(event.job)
        if job is None:  # a job is removed only when its end is in the outbox
            return []
        then = payload.as_ended(job, event)
        wanting = [one.recipient.receiver for one in self._deliveries.values()]
        names = notices.wanted(event, job, wanting)
        return [self._notice(numbered, event, then, name) for name in names]

    def _notice(self, numbered: Numbered, event: JobEnded, job: Job, receiver: str) -> Notice:
        notice = payload.notice_id(self._store.uuid, numbered.number, receiver)
        told = payload.ended(notice, numbered, self._view.record(job), self._view.public_url)
        return Notice(
            event=numbered.number,
            receiver=receiver,
            job=job.id,
            label=job.label,
            ending=job.state,
            reason=event.outcome.reason,
            at=event.at,
            payload=told,
            next_at=event.at,
        )

    async def _keep(self) -> None:
        """Put what was chosen into the outbox."""
        while self._written < self._until:  # what an earlier manager hadn't looked at
            events = await self._disk.call(lambda: self._store.events(self._written, SLICE))
            old = [one for one in events if one.number <= self._until]
            await self._put(self._chosen(old), old[-1].number if old else self._until)
        while True:
            self._news.clear()
            fresh, seen = self._fresh[:], self._seen
            if fresh or seen != self._written:
                await self._put(fresh, seen)
                del self._fresh[: len(fresh)]
            if not self._fresh:
                self._caught_up.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), QUIET)

    async def _put(self, chosen: Sequence[Notice], read: int) -> None:
        await self._disk.call(lambda: self._store.keep_notices(chosen, read))
        self._written = read
        for notice in chosen:
            self._deliveries[notice.receiver].wake()


async def _lasting(work: Callable[[], Awaitable[None]]) -> None:
    """Begin again after whatever went wrong: a fault here stops no job."""
    while True:
        try:
            await work()
        except StoreError as error:
            log.warning("notices wait for the store", extra={"error": str(error)})
        except Exception:
            log.exception("notices failed")
        await asyncio.sleep(AGAIN)
