"""Notices, from the log to their receivers: at least once, and in nobody's way.

Chosen ends go into an outbox in the store, together with how far the log was read. Each receiver
has a task of its own that empties it; what was committed and not read is read at the next start.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from solveyard.core import notices
from solveyard.model import reading
from solveyard.model.errors import InvalidJob, InvalidRequest, StoreError
from solveyard.model.jobs import Job, JobId, JobSpec
from solveyard.model.messages import JobEnded
from solveyard.model.notices import Notice, NoticeRecord, NoticeState, record
from solveyard.model.records import JobRecord
from solveyard.notify import payload
from solveyard.notify.ways import Recipient, Undelivered, Way
from solveyard.store.base import NOT_READ, Numbered, Store
from solveyard.workers import Workers

log = logging.getLogger(__name__)

T = TypeVar("T")

AT_ONCE = 4  #: deliveries to one receiver at the same time
SLICE = 1000  #: events that are read at once
QUIET = 30.0  #: s after which it's noted how far the log was read, though nothing was chosen
AGAIN = 5.0  #: s after a fault of ours, or of the store's


@dataclass(frozen=True)
class View:
    """What is told of jobs."""

    jobs: Callable[[], Mapping[JobId, Job]]  #: as they are on disk
    record: Callable[[Job], JobRecord]
    public_url: str = ""


class Notices:
    def __init__(self, store: Store, last: int, recipients: Sequence[Recipient], view: View):
        """`last`: the newest event's number. Whoever reads the log for the first time begins there,
        and what ends while there are no recipients is told to nobody.
        """
        self._store = store
        self._view = view
        self._ways: dict[str, Way] = {one.receiver.name: one.way for one in recipients}
        self._receivers = [one.receiver for one in recipients]
        self._fresh: list[Notice] = []  #: chosen, and not in the outbox yet
        self._seen = last  #: the newest event that was looked at
        self._due = {name: asyncio.Event() for name in self._ways}
        self._news = asyncio.Event()
        self._threads = Workers("notices") if recipients else None
        self._written = self._until = last
        with contextlib.suppress(StoreError):  # the next start does it
            self._begin(store.notices_read(), last)

    def _begin(self, read: int, last: int) -> None:
        if self._ways and read != NOT_READ:
            self._written = read
        elif self._ways or read != NOT_READ:
            self._store.keep_notices([], last if self._ways else NOT_READ)

    def check(self, spec: JobSpec) -> None:
        """Raises InvalidJob where it names a receiver that there isn't."""
        for name in spec.notify:
            if name not in self._ways:
                raise InvalidJob(f"the settings name no receiver {name!r}{self._instead(name)}")

    def take(self, numbered: Sequence[Numbered]) -> None:
        """Events that are on disk now, in order."""
        try:
            chosen = self._chosen(numbered)
        except Exception:  # no job waits for what is told of another
            log.exception("an end is told to nobody")
            return
        self._fresh += chosen
        self._seen = numbered[-1].number
        if chosen:
            self._news.set()

    async def recent(self, state: NoticeState | None, limit: int) -> list[NoticeRecord]:
        """Those of the newest ends first."""
        found = await asyncio.to_thread(self._store.notices, state, limit)
        return [
            record(one, payload.notice_id(self._store.uuid, one.event, one.receiver))
            for one in found
        ]

    async def test(self, name: str) -> str:
        """Have a test delivered; why it wasn't, or "". Raises InvalidRequest."""
        if name not in self._ways:
            raise InvalidRequest(f"the settings name no receiver {name!r}{self._instead(name)}")
        now = time.time()
        notice = payload.notice_id(self._store.uuid, 0, f"{name}.{now:.3f}")
        return await self._try(self._ways[name], notice, payload.test(notice, name, now))

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self._ways:
                tasks.create_task(_lasting(self._keep))
            for name in self._ways:
                tasks.create_task(_lasting(partial(self._serve, name)))

    def close(self) -> None:
        if self._threads is not None:
            self._threads.close()

    # Inside

    def _instead(self, name: str) -> str:
        near = reading.nearest(name, self._ways)
        known = ", ".join(sorted(self._ways)) or "none"
        return near or f" (there is: {known}; add a table [notify.{name}] to config.toml)"

    def _chosen(self, numbered: Sequence[Numbered]) -> list[Notice]:
        jobs = self._view.jobs()
        found: list[Notice] = []
        for one in numbered:
            event = one.event
            if not isinstance(event, JobEnded) or not notices.told(event):
                continue
            job = jobs.get(event.job)
            if job is not None:  # else it was removed before it could be told
                then = payload.as_ended(job, event)
                names = notices.wanted(event, job, self._receivers)
                found += [self._notice(one, event, then, name) for name in names]
        return found

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
            events = await self._call(lambda: self._store.events(self._written, SLICE))
            old = [one for one in events if one.number <= self._until]
            await self._put(self._chosen(old), old[-1].number if old else self._until)
        while True:
            fresh, seen = self._fresh[:], self._seen
            if fresh or seen != self._written:
                await self._put(fresh, seen)
                del self._fresh[: len(fresh)]
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), QUIET)
            self._news.clear()

    async def _put(self, chosen: Sequence[Notice], read: int) -> None:
        await self._call(lambda: self._store.keep_notices(chosen, read))
        self._written = read
        for notice in chosen:
            self._due[notice.receiver].set()

    async def _serve(self, name: str) -> None:
        """Deliver what is due to one receiver."""
        due = self._due[name]
        while True:
            due.clear()
            waiting = await self._call(lambda: self._store.due_notices(name, AT_ONCE))
            now = time.time()
            ready = [one for one in waiting if not 0 < one.next_at - now <= notices.LONGEST_PAUSE]
            if ready:
                async with asyncio.TaskGroup() as tasks:
                    tried = [tasks.create_task(self._deliver(one)) for one in ready]
                settled = [task.result() for task in tried]
                await self._call(partial(self._store.keep_notices, settled))
                continue
            pause = waiting[0].next_at - now if waiting else None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(due.wait(), pause)

    async def _deliver(self, notice: Notice) -> Notice:
        """Once; how it stands afterwards."""
        way = self._ways[notice.receiver]
        told = payload.notice_id(self._store.uuid, notice.event, notice.receiver)
        why = await self._try(way, told, notice.payload)
        now, tries = time.time(), notice.tries + 1
        if not why:
            return replace(notice, state=NoticeState.DELIVERED, tries=tries, why="", next_at=now)
        following = notices.next_try(notice.at, tries, now, random.random())
        facts = {"receiver": notice.receiver, "job": notice.label, "tries": tries, "error": why}
        if following is None:
            log.error("notice given up", extra=facts)
            return replace(notice, state=NoticeState.FAILED, tries=tries, why=why, next_at=now)
        log.warning("notice not delivered", extra=facts)
        return replace(notice, tries=tries, why=why, next_at=following)

    @staticmethod
    async def _try(way: Way, notice: str, content: str) -> str:
        """Why it wasn't delivered; or ""."""
        try:
            await way.deliver(notice, content.encode(), payload.variables(content))
        except Undelivered as refusal:
            return str(refusal) or "refused"
        except Exception as fault:
            log.exception("a notice could not be sent", extra={"notice": notice})
            return f"solveyard failed at this: {type(fault).__name__}"
        return ""

    async def _call(self, function: Callable[[], T]) -> T:
        assert self._threads is not None
        return await self._threads.call(function)


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
