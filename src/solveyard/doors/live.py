"""Live events over Socket.IO.

`/v1` carries our events, numbered. A subscription is a cursor over the store's log: what a client
missed is read from there, what is new follows, so there is no gap and nothing comes twice. The
default namespace carries the documents' events (`job_queued`, `job_started`, ...) and no others.
"""

import asyncio
import contextlib
import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import socketio
from aiohttp import web

from solveyard.doors import guarded
from solveyard.doors.keys import Caller, caller
from solveyard.doors.telling import Telling
from solveyard.manager import Manager
from solveyard.model import reading
from solveyard.model.errors import InvalidRequest, LogCompacted, StoreError, UnknownJob
from solveyard.model.ids import array_of, position_of
from solveyard.model.jobs import Job, JobId
from solveyard.model.messages import AnyEvent
from solveyard.model.progress import Progress
from solveyard.model.records import event_text
from solveyard.store.base import Numbered

log = logging.getLogger(__name__)

OURS = "/v1"
DOCUMENTS = "/"
PAUSE = 0.1  #: s between two messages to one client
RECENT = 1000  #: events that need not be read from the store
SLICE = 1000  #: events in one message, at most
BYTES = 256 << 10  #: of one message, about
LARGE = 64 << 10  #: bytes; of a larger event only number, at, type, job and by are sent
BACKLOG = 4  #: messages that wait for a client that doesn't read; it gets no more meanwhile
ROOMS = 1000  #: that one client may be in
LONGEST = 500  #: characters of a refusal
LOOK_AGAIN = 1.0  #: s between two looks at whether a token still holds
_GOODBYE = 1.0  #: s for the connections to end


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

    def wants(self, event: AnyEvent) -> bool:
        return self.covers(getattr(event, "job", JobId(0)))

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
        self._recent: deque[Numbered] = deque(maxlen=RECENT)
        self._subscriptions: dict[str, _Subscription] = {}
        self._callers: dict[tuple[str, str], Caller] = {}  #: by namespace and connection
        self._documents = telling
        self._progress: dict[JobId, dict[str, Any]] = {}  #: news of running jobs, the newest alone
        self._news = asyncio.Event()
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
            while True:
                await self._until_news()
                self._news.clear()
                await self._drop_revoked()
                await self._tell_documents()
                for one in list(self._subscriptions.values()):
                    await self._serve(one)
                await self._tell_progress()
                await asyncio.sleep(PAUSE)
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
        self._recent.extend(events)
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

    async def _serve(self, one: _Subscription) -> None:
        """Send what comes after its cursor, as much as one message takes."""
        if one.after >= self._manager.last_event:
            return
        self._news.set()  # there may be more; after a pause
        if self._sio.waiting(one.sid, OURS) >= BACKLOG:
            return
        try:
            events = self._from_recent(one.after)
            if events is None:
                events = await self._manager.events(one.after, SLICE)
        except StoreError as error:
            log.warning("missed events not read", extra={"error": str(error)})
            return
        except LogCompacted as error:
            if self._subscriptions.get(one.sid) is one:
                one.after = error.first - 1
                told_first = {"first": error.first}
                await self._sio.emit("compacted", told_first, to=one.sid, namespace=OURS)
            return
        if self._subscriptions.get(one.sid) is not one:
            return  # it asked for something else meanwhile
        told: list[dict[str, Any]] = []
        size = 0
        for number, event in events:
            if one.wants(event):
                payload, length = _shown(number, event)
                if told and size + length > BYTES:
                    break
                told.append(payload)
                size += length
            one.after = number
        if told:
            await self._sio.emit("events", told, to=one.sid, namespace=OURS)

    def _from_recent(self, after: int) -> list[Numbered] | None:
        """None: they have to be read from the store."""
        if not self._recent or self._recent[0].number > after + 1:
            return None
        start = after + 1 - self._recent[0].number
        return list(itertools.islice(self._recent, start, start + SLICE))

    async def _tell_progress(self) -> None:
        """To who reads: what is missed here is told anew soon."""
        told, self._progress = self._progress, {}
        for one in list(self._subscriptions.values()) if told else ():
            if self._sio.waiting(one.sid, OURS) >= BACKLOG:
                continue
            for job, payload in told.items():
                if one.covers(job):
                    await self._sio.emit("job_progress", payload, to=one.sid, namespace=OURS)

    async def _tell_documents(self) -> None:
        for name, payload in self._documents.told():
            await self._sio.emit(name, payload, namespace=DOCUMENTS)

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
        """Answers {"success": true, "after": the number that events follow}, or why not."""
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
        return {"success": True, "after": after, "last": last}

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
                if not key.isascii() or not key.isdecimal() or len(key) > 18:
                    raise
                found.add(JobId(int(key)))  # it was removed, but what it missed is still told
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


def _shown(number: int, event: AnyEvent) -> tuple[dict[str, Any], int]:
    """An event as it is sent, and about how many bytes that is."""
    text = event_text(number, event)
    shown: dict[str, Any] = msgspec.json.decode(text)
    if len(text) > LARGE:
        kept = ("number", "type", "at", "by", "job", "task")
        return {name: shown[name] for name in kept if name in shown} | {"cut": True}, 200
    return shown, len(text)
