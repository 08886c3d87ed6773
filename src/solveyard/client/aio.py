"""A client that awaits, on aiohttp: for services, notebooks and whatever has a loop already."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import aiohttp

from solveyard.client import calls, find, output, replies, tries
from solveyard.client.calls import Call, LimitWishes
from solveyard.client.find import Address, Where
from solveyard.client.replies import FileEntry, FilePage, Listing, LogPart, Reply
from solveyard.model.errors import InvalidRequest, ManagerUnavailable
from solveyard.model.jobs import JobSpec, JobState
from solveyard.model.notices import NoticeRecord, ReceiverRecord
from solveyard.model.overlaid import Overlaid
from solveyard.model.plans import Plan
from solveyard.model.records import JobRecord, SharesRecord

T = TypeVar("T")


class AsyncClient:
    """What `sync.Client` does, awaited; any number of calls at once.

    Use it as `async with AsyncClient(folder) as client`.
    """

    def __init__(self, where: Where = None, *, patience: float = tries.PATIENCE) -> None:
        """As `sync.Client`."""
        self._find = find.locator(where)
        self._patience = patience
        self._sessions: dict[str, aiohttp.ClientSession] = {}  #: by the manager's URL
        self._closed = False

    @classmethod
    def at(cls, url: str, token: str = "", *, patience: float = tries.PATIENCE) -> Self:
        """As `sync.Client.at`."""
        return cls(find.remote(url, token), patience=patience)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """For good; what is asked for afterwards is refused."""
        self._closed = True
        while self._sessions:
            await self._sessions.popitem()[1].close()

    async def submit(self, spec: JobSpec, *, key: str = "") -> JobRecord:
        return (await self.submit_many([spec], key=key))[0]

    async def submit_many(self, specs: Sequence[JobSpec], *, key: str = "") -> list[JobRecord]:
        """All of them, or none. `key`: whoever submits with it again gets these jobs."""
        return await self._ask(calls.submit(specs, key)) if specs else []

    async def submit_config(
        self,
        config: Mapping[str, Any],
        priority: int = 0,
        *,
        session: str = "",
        key: str = "",
        patience: float = calls.SILENCE,
    ) -> JobRecord:
        """Have one of PyEDB's HFSS configurations run; its `jobid` is the job's name.

        While a job of that name has not ended, it is that job. `session`: of the program
        that it shall not go on without. `patience`: s for an answer.
        """
        return await self._ask(calls.submit_config(config, priority, session, key, patience))

    async def submit_config_id(
        self, config: Mapping[str, Any], priority: int = 0, *, key: str = ""
    ) -> str:
        """`submit_config`, also at PyEDB's own service: the job's id."""
        return await self._ask(calls.submit_config_id(config, priority, key))

    async def submit_configs(
        self,
        configs: Sequence[Mapping[str, Any]],
        priority: int = 0,
        *,
        session: str = "",
        key: str = "",
        patience: float = calls.SILENCE,
    ) -> list[JobRecord]:
        """`submit_config` of several, in one request: all are taken, or none."""
        if not configs:
            return []
        return await self._ask(calls.submit_configs(configs, priority, session, key, patience))

    async def preview(self, spec: JobSpec) -> Plan:
        """What it would run; refused as `submit` would be, and nothing is submitted."""
        return await self._ask(calls.preview(spec))

    async def preview_config(self, config: Mapping[str, Any]) -> Plan:
        """`preview` of one of PyEDB's HFSS configurations."""
        return await self._ask(calls.preview_config(config))

    async def jobs(
        self,
        states: Collection[JobState] | None = (),
        name: str | None = None,
        owner: str | None = None,
        tag: str | None = None,
        limit: int | None = 50,
        cursor: str | None = None,
    ) -> Listing:
        """Newest first. `limit` None: all of them."""
        return await self._ask(calls.jobs(states, name, owner, tag, limit, cursor))

    async def job(self, job: str | int) -> JobRecord:
        """By name, else by number."""
        return await self._ask(calls.job(job))

    async def cancel(self, job: str | int, grace: float | None = None) -> JobRecord:
        """`grace` is s between TERM and KILL; None: as the job's spec says."""
        return await self._ask(calls.cancel(job, grace))

    async def hold(self, job: str | int) -> JobRecord:
        return await self._ask(calls.act(job, "hold"))

    async def release(self, job: str | int) -> JobRecord:
        return await self._ask(calls.act(job, "release"))

    async def retry(self, job: str | int, *, key: str = "") -> JobRecord:
        """Run it again. `key`: asked for with it again, it is no other attempt."""
        return await self._ask(calls.act(job, "retry", key=key))

    async def set_priority(self, job: str | int, priority: int) -> JobRecord:
        return await self._ask(calls.act(job, "priority", {"priority": priority}))

    async def annotate(
        self,
        job: str | int,
        *,
        tags: str | Iterable[str] | None = None,
        note: str | None = None,
        add_tags: str | Iterable[str] = (),
        remove_tags: str | Iterable[str] = (),
    ) -> JobRecord:
        """Put these tags, or this note, in the place of the old; None: leave them as they are.

        `add_tags`, `remove_tags` change some in one step, whoever else changes others.
        """
        return await self._ask(calls.annotate(job, tags, note, add_tags, remove_tags))

    async def remove(self, job: str | int, *, files: bool = False) -> None:
        """Forget an ended job; with `files` its output and its own folder, too."""
        await self._ask(calls.remove(await self.job(job), files))

    async def wait(
        self,
        jobs: str | int | Iterable[str | int],
        timeout: float | None = None,  # noqa: ASYNC109  False is an answer, not an error
    ) -> bool:
        """Until all of `jobs`, one or several, have ended; False: `timeout` s are over."""
        loop = asyncio.get_running_loop()
        deadline = tries.deadline(timeout, loop.time())
        left = calls.keys(jobs)
        while left:
            pause = calls.LONG_POLL if deadline is None else deadline - loop.time()
            left = await self._ask(calls.wait(left, min(calls.LONG_POLL, max(0.0, pause))))
            if left and deadline is not None and loop.time() >= deadline:
                return False
        return True

    async def log(
        self,
        job: str | int,
        stream: str = "stdout",
        *,
        offset: int = 0,
        limit: int = calls.PIECE,
        attempt: int | None = None,
        wait: float = 0.0,
    ) -> LogPart:
        """Bytes of its output from `offset` (negative: from the end), of its newest attempt.

        `wait`: s to wait for something to come, where there is nothing yet.
        """
        return await self._ask(calls.log(job, stream, offset, limit, attempt, wait))

    async def follow_log(
        self,
        job: str | int,
        stream: str = "stdout",
        *,
        offset: int = 0,
        attempt: int | None = None,
        only: bool = False,
    ) -> AsyncIterator[bytes]:
        """Its output as it comes, from `offset`, of one attempt after the other until it has ended.

        It begins with `attempt` (None: the newest one), which may be the next; with `only` it ends
        with that, too. Where an attempt cuts its output and writes it anew, that comes from its
        beginning, but where it has grown beyond the old before it is looked at again.
        """
        place = output.Place(offset, attempt, only=only)
        while True:
            part = await self.log(
                job, stream, offset=place.offset, attempt=place.attempt, wait=calls.LONG_POLL
            )
            content = place.read(part)
            if content:
                yield content
            elif content is not None and part.ended and place.at_end(part, await self.job(job)):
                return
            await asyncio.sleep(place.pause)

    async def files(self, job: str | int) -> list[FileEntry]:
        """The files in its folder, all of them."""
        found: list[FileEntry] = []
        cursor: str | None = None
        while True:
            page = await self.file_page(job, cursor)
            found += page.files
            cursor = page.cursor
            if cursor is None:
                return found

    async def file_page(self, job: str | int, cursor: str | None = None) -> FilePage:
        """Up to 10 000 of them, with how many there are and what could not be looked at."""
        return await self._ask(calls.files(job, cursor))

    async def read_file(self, job: str | int, path: str) -> bytes:
        """One file's bytes."""
        return (await self._ask(calls.file(job, path))).body

    async def tasks(
        self,
        job: str | int,
        states: Collection[JobState] | None = (),
        limit: int = 50,
        offset: int = 0,
    ) -> list[JobRecord]:
        """Of an array, by index; of "sweep[3,5-9]" those. At most 1000 at once."""
        return await self._ask(calls.tasks(job, states, limit, offset))

    async def results(self, job: str | int) -> list[dict[str, Any]]:
        """Parameters and measured values: a row for each task of an array, or one for a job.

        All rows have the same names in the same order.
        """
        rows: list[dict[str, Any]] = await self._ask(calls.results(job))
        return rows

    async def overlay(
        self, job: str | int, s: str = "11", file: str = "", limit: int = 50, offset: int = 0
    ) -> list[Overlaid]:
        """A scattering parameter of each of an array's tasks; at most 200 at once."""
        return await self._ask(calls.overlay(job, s, file, limit, offset))

    async def events(self, after: int | None = None, limit: int = 1000) -> list[dict[str, Any]]:
        """Numbered events after number `after`, or all; their fields are the event's own.

        Raises LogCompacted where some of them are not kept any more.
        """
        found: list[dict[str, Any]] = await self._ask(calls.events(after, limit))
        return found

    async def prune(self, *, dry_run: bool = False, **wish: object) -> dict[str, Any]:
        """Have ended jobs removed by `keep_jobs`, `max_age` (s), `max_age_failed`, `max_size`
        (bytes), `files`; without bounds by the manager's settings. Tells which; with `dry_run` only
        that.
        """
        found: dict[str, Any] = await self._ask(calls.prune(wish, dry_run=dry_run))
        return found

    async def notifications(self) -> list[ReceiverRecord]:
        """Who is told how jobs end, and what waits, arrived or was given up."""
        return await self._ask(calls.notifications())

    async def notices(self, receiver: str, state: str = "", limit: int = 50) -> list[NoticeRecord]:
        """Of the newest ends first; `state`: pending, delivered or failed; "": any."""
        return await self._ask(calls.notices(receiver, state, limit))

    async def test_notification(self, receiver: str) -> str:
        """Have a test sent now; why it wasn't taken, or ""."""
        return await self._ask(calls.test_notification(receiver))

    async def who(self) -> str:
        """As whom the manager knows you: the `owner` of what you submit."""
        return await self._ask(Call("GET", "/session", replies.caller))

    async def queue(self) -> dict[str, int]:
        """How many jobs are in each state."""
        return await self._ask(calls.queue())

    async def status(self) -> dict[str, Any]:
        state: dict[str, Any] = await self._ask(calls.get("/system/status"))
        return state

    async def set_limits(self, /, **limits: Unpack[LimitWishes]) -> dict[str, Any]:
        """Those that are given; the others stay. Answers all. Raises InvalidRequest, NotAllowed."""
        return await self._ask(calls.set_limits(limits))

    async def shares(self) -> SharesRecord:
        """Who has what share of the machines, what they have had of it, and their quotas."""
        return await self._ask(calls.Call("GET", "/shares", replies.shares))

    async def limits(self) -> dict[str, Any]:
        """By the names that set them; None: there is none."""
        return await self._ask(calls.Call("GET", "/system/status", calls.limits))

    async def stop(self, how: str | None = None) -> dict[str, Any]:
        """Begin to stop the manager: "leave", "drain", "now"; None: as it was told to.

        Answers how, and how many jobs run; returns before the manager has gone. Never sent twice.
        """
        answer: dict[str, Any] = await self._ask(calls.stop(how))
        return answer

    async def _ask(self, call: Call[T]) -> T:
        attempt = tries.Tries(call, self._patience)
        while True:
            where: Address | None = None
            try:
                where = self._find()
                reply = await self._send(call, where)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                pause = attempt.failed(_cause(error), where)
            except ManagerUnavailable as error:
                pause = attempt.failed(error, where)
            except (OSError, aiohttp.ClientError) as error:
                attempt.sent = True
                pause = attempt.failed(error, where)
            else:
                attempt.sent = True
                again = attempt.answered(reply)
                if again is None:
                    return calls.read(call, reply)
                pause = again
            await asyncio.sleep(pause)

    async def _send(self, call: Call[Any], where: Address) -> Reply:
        if self._closed:
            raise InvalidRequest("this client is closed (make another: AsyncClient())")
        session = self._sessions.get(where.url + where.socket)
        if session is None:
            session = self._sessions[where.url + where.socket] = _session(where)
        async with session.request(
            call.method,
            _origin(where) + call.target,
            data=call.body,
            headers=call.headers(where.token),
            timeout=aiohttp.ClientTimeout(sock_connect=calls.CONNECT, sock_read=call.patience),
            allow_redirects=False,
            skip_auto_headers=["Content-Type"],  # aiohttp would name one where there is no body
        ) as response:
            headers = {name.lower(): text for name, text in response.headers.items()}
            return Reply(response.status, headers, await response.read())


def _session(where: Address) -> aiohttp.ClientSession:
    """Each request has a connection of its own: none is found closed when it is used again."""
    connector: aiohttp.BaseConnector
    if where.socket:
        connector = aiohttp.UnixConnector(where.socket, force_close=True)
    elif where.secure:
        connector = aiohttp.TCPConnector(force_close=True, ssl=where.trust or True)
    else:
        connector = aiohttp.TCPConnector(force_close=True)
    return aiohttp.ClientSession(connector=connector)


def _origin(where: Address) -> str:
    return "http://localhost" if where.socket else where.url


def _cause(error: Exception) -> Exception:
    """The system's error that aiohttp's tells of."""
    for name in ("certificate_error", "os_error"):
        if isinstance(found := getattr(error, name, None), Exception):
            return found
    return error
