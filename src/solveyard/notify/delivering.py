"""One receiver's notices, from the outbox to the receiver: tried again, and in nobody's way."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from solveyard.core import notices
from solveyard.model.notices import Notice, NoticeState
from solveyard.notify import payload
from solveyard.notify.ways import Recipient, Undelivered, Way
from solveyard.store.base import Store
from solveyard.workers import Workers

log = logging.getLogger(__name__)

AT_ONCE = 4  #: deliveries to one receiver at the same time
LONGEST_REST = 60.0  #: s between two looks at a receiver that takes nothing
LATE = 200  #: notices that are given up at once


class Deliveries:
    """To one receiver. One that takes nothing is left alone for a while, so that a thousand
    notices for a dead one cost no more than a few.
    """

    def __init__(self, recipient: Recipient, store: Store, disk: Workers) -> None:
        self.recipient = recipient
        self._name = recipient.receiver.name
        self._store = store
        self._disk = disk
        self._news = asyncio.Event()
        self._failures = 0  #: rounds, one after another, in which it took nothing

    def wake(self) -> None:
        """There are new ones in the outbox."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._news.clear()
            waiting = await self._due(AT_ONCE)
            now = time.time()
            # a time that is far off is of a clock that was put back since
            ready = [one for one in waiting if not 0 < one.next_at - now <= notices.LONGEST_PAUSE]
            if ready:
                await self._round(ready)
                continue
            pause = waiting[0].next_at - now if waiting else None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), pause)

    async def _round(self, ready: Sequence[Notice]) -> None:
        async with asyncio.TaskGroup() as tasks:
            tried = [tasks.create_task(self._deliver(one)) for one in ready]
        settled = [task.result() for task in tried]
        await self._disk.call(partial(self._store.keep_notices, settled))
        if any(one.state is NoticeState.DELIVERED for one in settled):
            self._failures = 0
            return
        self._failures += 1
        await self._give_up_late(settled[-1].why)
        await asyncio.sleep(notices.pause(self._failures, random.random(), LONGEST_REST))

    async def _deliver(self, notice: Notice) -> Notice:
        """Once; how it stands afterwards."""
        told = payload.notice_id(self._store.uuid, notice.event, notice.receiver)
        why = await attempt(self.recipient.way, told, notice.payload)
        now, tries = time.time(), notice.tries + 1
        if not why:
            return replace(notice, state=NoticeState.DELIVERED, tries=tries, why="", next_at=now)
        following = notices.next_try(notice.at, tries, now, random.random())
        failed = replace(notice, tries=tries, why=why)
        if following is None:
            return _given_up(failed, now)
        facts = {"receiver": self._name, "job": notice.label, "tries": tries, "error": why}
        log.warning("notice not delivered", extra=facts)
        return replace(failed, next_at=following)

    async def _give_up_late(self, why: str) -> None:
        """It has just failed again: don't try those, too, whose time is over."""
        now = time.time()
        waiting = await self._due(LATE)
        late = [one for one in waiting if one.at + notices.GIVE_UP < now]
        if late:
            settled = [_given_up(replace(one, why=one.why or why), now) for one in late]
            await self._disk.call(partial(self._store.keep_notices, settled))

    async def _due(self, limit: int) -> list[Notice]:
        return await self._disk.call(lambda: self._store.due_notices(self._name, limit))


async def attempt(way: Way, notice: str, content: str) -> str:
    """Deliver it once; why that failed, or ""."""
    try:
        await way.deliver(notice, content.encode(), payload.variables(content))
    except Undelivered as refusal:
        return str(refusal) or "refused"
    except Exception as fault:
        log.exception("a notice could not be sent", extra={"notice": notice})
        return f"solveyard failed at this: {type(fault).__name__}"
    return ""


def _given_up(notice: Notice, now: float) -> Notice:
    facts = {"receiver": notice.receiver, "job": notice.label, "tries": notice.tries}
    log.error("notice given up", extra={**facts, "error": notice.why})
    return replace(notice, state=NoticeState.FAILED, next_at=now)
