"""Live events over Socket.IO.

`/v1` carries our events, numbered. A subscription is a cursor over the store's log: what a client
missed is read from there, what is new follows, so there is no gap and nothing comes twice. Who has
much to read delays nobody who has read all. The default namespace carries the documents' events
(`job_queued`, `job_started`, ...) and no others.
"""

import asyncio
import contextlib
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import socketio
from aiohttp import web

from solveyard.core.names import numbered
from solveyard.doors import guarded
from solveyard.doors.keys import Caller, caller
from solveyard.doors.pieces import Piece, Pieces
from solveyard.doors.telling import Telling
from solveyard.manager.manager import Manager
from solveyard.model import reading
from solveyard.model.errors import InvalidRequest, LogCompacted, StoreError, UnknownJob
from solveyard.model.ids import array_of, position_of
from solveyard.model.jobs import Job, JobId
from solveyard.model.progress import Progress
from solveyard.store.base import Numbered

log = logging.getLogger(__name__)

OURS = "/v1"
DOCUMENTS = "/"
PAUSE = 0.1  #: s between two messages to one client
BACKLOG = 4  #: messages that wait for a client that doesn't read; it gets no more meanwhile
PASSED = 20_000  #: events without one of a client's jobs until it is told how far the log was read
ROOMS = 1000  #: that one client may be in
LONGEST = 500  #: characters of a refusal
LOOK_AGAIN = 1.0  #: s between two looks at whether a token still holds
_GOODBYE = 1.0  #: s for the connections to end
_EARLY = 0.001  #: s that a pause may be too short: clocks have their grain


class Subscribe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client asks for by `subscribe`; it replaces what it asked for before."""

    rooms: tuple[str, ...] = ("all",)  #: "all", or "job:" and a job's name or number
    after: int | None = None  #: the number of the last event it knows; None: only new ones

    def __post_init__(self) -> None:
        if self.after is not None and not 0 <= self.after < 2**62:
            raise ValueError(f"`after` is {self.after}; it must be the number of an event, or 0")
        if not 1 <= len(self.rooms) <= ROOMS:
            raise ValueError(f"`rooms` has {len(self.rooms)} names; it must have 1 to {ROOMS}")


class _Subscription:
    """Where one client is in the log."""

    def __init__(self, sid: str, jobs: frozenset[JobId] | None, after: int) -> None:
        self.sid = sid
        self.jobs = jobs  #: None: all
        self.after = after
        self.known = after  #: what the client may go on from where it connects anew
        self.told_at = 0.0  #: by the loop's clock

    def covers(self, job: JobId) -> bool:
        return self.jobs is None or job in self.jobs or (array_of(job) or job) in self.jobs


class Live:
    """The Socket.IO server of one manager; `run` sends."""

    def __init__(self, manager: Manager, holds: Callable[[Caller], bool], telling: Telling) -> None:
        """`holds` tells whether what let a caller in is still good. `telling` has followed all
        events until now.
        """
        self._manager = manager
        self._holds = holds
        self._pieces = Pieces(manager)
        self._subscriptions: dict[str, _Subscription] = {}
        self._callers: dict[tuple[str, str], Caller] = {}  #: by namespace and connection
        self._documents = telling
        self._progress: dict[JobId, dict[str, Any]] = {}  #: news of running jobs, the newest alone
        self._news = asyncio.Event()
        self._missed = asyncio.Event()  #: by somebody, and the store has to be read
        self._sio = guarded.Server(
            async_handlers=False,
            cors_allowed_origins=[],  # the keeper looks at origins; no header admits any
            namespaces=[DOCUMENTS, OURS],
        )
        for namespace in (DOCUMENTS, OURS):
            self._sio.on("connect", self._connected(namespace), namespace=namespace)
            self._sio.on("disconnect", self._disconnected(namespace), namespace=namespace)
        self._sio.on("subscribe", self._subscribe, namespace=OURS)
        self._sio.on("unsubscribe", self._unsubscribe, namespace=OURS)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A request of the protocol's."""
        found: web.StreamResponse = await self._sio.handle_request(request)
        return found

    async def run(self) -> None:
        """Until cancelled."""
        ends = (
            self._manager.subscribe(self._take),
            self._manager.following.subscribe(self._take_progress),
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._tell_news())
                tasks.create_task(self._tell_missed())
        finally:
            for end in ends:
                end()

    async def close(self) -> None:
        """Say goodbye to everybody."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                for namespace, sid in list(self._callers):
                    await self._sio.end(sid, namespace)
                await self._sio.shutdown()

    # What comes from the manager

    def _take(self, events: Sequence[Numbered]) -> None:
        self._pieces.take(events)
        if any(namespace == DOCUMENTS for namespace, _ in self._callers):
            self._documents.take(events)
        else:
            self._documents.pass_over(events)
        self._news.set()

    def _take_progress(self, job: Job, progress: Progress) -> None:
        if self._subscriptions:
            self._progress[job.id] = {
                "job": array_of(job.id) or job.id,
                "task": position_of(job.id),
                "id": job.label,
                "attempt": len(job.attempts),
                "progress": msgspec.to_builtins(progress),
            }
            self._news.set()

    async def _until_news(self) -> None:
        """Or until it is time to look at tokens again."""
        tokens = any(one.token or one.session for one in self._callers.values())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN if tokens else None):
                await self._news.wait()

    # What goes to clients

    async def _tell_news(self) -> None:
        """To who stands near the newest event; what is more than a message takes, after a pause."""
        while True:
            await self._until_news()
            self._news.clear()
            await self._drop_revoked()
            await self._tell_documents()
            for after, those in self._behind(near=True).items():
                if (events := self._pieces.recent(after)) is not None:
                    for jobs, some in _by_jobs(those).items():
                        await self._tell(after, some, events.piece(jobs))
            await self._tell_progress()
            await asyncio.sleep(PAUSE)

    async def _tell_missed(self) -> None:
        """To who is far behind. One read at a time: they only wait for one another.

        Where nothing of a client's jobs was read, there is no message to pause after: it is read on
        as soon as others had as long as that took.
        """
        clock = asyncio.get_running_loop().time
        while True:
            await self._missed.wait()
            self._missed.clear()
            began, read_on = clock(), False
            for after, those in self._behind(near=False).items():
                read_on |= await self._tell_from_store(after, those)
            if not self._missed.is_set():
                self._pieces.forget()
            self._news.set()  # who isn't far behind any more goes on there
            await asyncio.sleep(min(PAUSE, clock() - began) if read_on else PAUSE)

    async def _tell_from_store(self, after: int, those: Sequence[_Subscription]) -> bool:
        """Is there somebody who was told nothing of what was read?"""
        by_jobs = _by_jobs(those)
        if (kept := self._pieces.kept(after)) is not None:
            await self._tell(after, by_jobs.pop(None, ()), kept)
        if not by_jobs:
            return False
        try:
            events = await self._pieces.read(after)
        except StoreError as error:
            log.warning("missed events not read", extra={"error": str(error)})
            return False
        except LogCompacted as error:
            first = json.dumps({"first": error.first})
            await self._tell(after, those, Piece(first, error.first - 1), "compacted")
            return False
        if events is None:
            return False
        read_on = False
        for jobs, some in by_jobs.items():
            piece = events.piece(jobs)
            if jobs is None:
                self._pieces.keep(after, piece)
            await self._tell(after, some, piece)
            read_on |= not piece.text
        return read_on

    async def _tell(
        self, after: int, those: Iterable[_Subscription], piece: Piece, name: str = "events"
    ) -> None:
        """To those that still are where they were when it was sought."""
        here = [one for one in those if one.after == after and self._current(one)]
        now = asyncio.get_running_loop().time()
        for one in here:
            one.after = piece.last
        text = piece.text
        if not text:
            here = [one for one in here if one.after - one.known >= PASSED]
            name, text = "reached", json.dumps({"after": piece.last})
        for one in here:
            one.known, one.told_at = piece.last, now
        if here:
            await self._sio.tell(OURS, name, text, [one.sid for one in here])

    def _behind(self, *, near: bool) -> Mapping[int, list[_Subscription]]:
        """Who may be told something now, by what they know, and is near the newest event or far."""
        found = defaultdict(list)
        last, now = self._manager.last_event, asyncio.get_running_loop().time()
        for one in self._subscriptions.values():
            if one.after >= last:
                continue
            is_near = self._pieces.near(one.after)
            (self._news if is_near else self._missed).set()  # there may be more; after a pause
            rested = now >= one.told_at + PAUSE - _EARLY
            if is_near is near and rested and self._sio.waiting(one.sid, OURS) < BACKLOG:
                found[one.after].append(one)
        return found

    def _current(self, one: _Subscription) -> bool:
        """It didn't ask for something else meanwhile."""
        return self._subscriptions.get(one.sid) is one

    async def _tell_progress(self) -> None:
        """To who reads: what is missed here is told anew soon."""
        told, self._progress = self._progress, {}
        if not told:
            return
        reading = [
            one
            for one in self._subscriptions.values()
            if self._sio.waiting(one.sid, OURS) < BACKLOG
        ]
        for job, payload in told.items():
            sids = [one.sid for one in reading if one.covers(job)]
            text = msgspec.json.encode(payload).decode()
            await self._sio.tell(OURS, "job_progress", text, sids)

    async def _tell_documents(self) -> None:
        for name, payload in self._documents.told():
            await self._sio.tell(DOCUMENTS, name, json.dumps(payload))

    async def _drop_revoked(self) -> None:
        for (namespace, sid), one in list(self._callers.items()):
            if not self._holds(one):
                await self._sio.end(sid, namespace)

    # What comes from clients

    def _connected(self, namespace: str) -> Callable[..., Any]:
        async def connected(sid: str, environ: dict[str, Any], auth: object = None) -> None:
            found = caller(environ["aiohttp.request"])
            if not self._holds(found):
                why = "what let you in is not good any more"
                raise socketio.exceptions.ConnectionRefusedError(why)
            self._callers[namespace, sid] = found
            self._news.set()  # a token is looked at from now on

        return connected

    def _disconnected(self, namespace: str) -> Callable[..., Any]:
        async def disconnected(sid: str, reason: str = "") -> None:
            self._callers.pop((namespace, sid), None)
            self._subscriptions.pop(sid, None)

        return disconnected

    async def _subscribe(self, sid: str, *asked: object) -> dict[str, Any]:
        """Answers {"success": true, "after": the number that events follow, "store": the uuid of
        the store whose they are}, or why not.
        """
        try:
            wish = _read(asked)
            jobs = self._jobs(wish.rooms)
        except InvalidRequest as error:
            return {"success": False, "error": _short(str(error))}
        last = self._manager.last_event
        after = last if wish.after is None else wish.after
        if after > last:
            why = f"`after` is {after}, but the newest event has the number {last}"
            return {"success": False, "error": why, "last": last}
        if after < (first := self._manager.first_event) - 1:
            why = f"`after` is {after}, but the log of events begins with number {first} by now"
            return {"success": False, "error": why, "first": first, "last": last}
        self._subscriptions[sid] = _Subscription(sid, jobs, after)
        self._news.set()
        store = self._manager.store_uuid
        return {"success": True, "after": after, "last": last, "store": store}

    async def _unsubscribe(self, sid: str, *_: object) -> dict[str, Any]:
        self._subscriptions.pop(sid, None)
        return {"success": True}

    def _jobs(self, rooms: Iterable[str]) -> frozenset[JobId] | None:
        """Raises InvalidRequest."""
        found: set[JobId] = set()
        for room in rooms:
            if room == "all":
                return None
            kind, _, key = room.partition(":")
            if kind != "job" or not key:
                raise InvalidRequest(f"there is no room {room!r} (there is: 'all', 'job:ID')")
            try:
                found.add(self._manager.find(key).id)
            except UnknownJob:
                number = numbered(key)
                if number is None:
                    raise
                found.add(number)  # it was removed, but what it missed is still told
        return frozenset(found)


def _read(asked: tuple[object, ...]) -> Subscribe:
    """Raises InvalidRequest."""
    if len(asked) > 1:
        raise InvalidRequest(f"`subscribe` takes one object, not {len(asked)}")
    wish = asked[0] if asked and asked[0] is not None else {}
    try:
        return msgspec.convert(wish, Subscribe)
    except (msgspec.ValidationError, RecursionError) as error:
        raise reading.explain(error, Subscribe) from error


def _short(why: str) -> str:
    """Without all of what somebody sent."""
    return why if len(why) <= LONGEST else why[:LONGEST] + " ..."


def _by_jobs(
    those: Iterable[_Subscription],
) -> dict[frozenset[JobId] | None, list[_Subscription]]:
    found = defaultdict(list)
    for one in those:
        found[one.jobs].append(one)
    return found
