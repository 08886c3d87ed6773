"""A client that awaits, on aiohttp: for services, notebooks and whatever has a loop already."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from solveyard.client import calls, find
from solveyard.client.calls import Call, FileEntry, Listing, LogPart, Reply
from solveyard.client.find import Address
from solveyard.model.errors import ManagerUnavailable
from solveyard.model.jobs import JobSpec, JobState
from solveyard.model.records import JobRecord


class AsyncClient:
    """What `sync.Client` does, awaited; any number of calls at once.

    Use it as `async with AsyncClient(folder) as client`. aiohttp sends a removal again where no
    answer came: job numbers are never reused, so it removes nothing else.
    """

    def __init__(self, where: Address | Path) -> None:
        """`where` is an address, or a store's folder."""
        self._where = where
        self._session: aiohttp.ClientSession | None = None
        self._base = ""

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
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def submit(self, spec: JobSpec) -> JobRecord:
        return (await self.submit_many([spec]))[0]

    async def submit_many(self, specs: Sequence[JobSpec]) -> list[JobRecord]:
        """All of them, or none."""
        return calls.submitted(await self._ask(calls.submit(specs)))

    async def jobs(
        self,
        states: Collection[JobState] = (),
        name: str | None = None,
        owner: str | None = None,
        tag: str | None = None,
        limit: int | None = 50,
        cursor: str | None = None,
    ) -> Listing:
        """Newest first. `limit` None: all of them."""
        return calls.listing(await self._ask(calls.jobs(states, name, owner, tag, limit, cursor)))

    async def job(self, key: str | int) -> JobRecord:
        """By name, else by number."""
        return calls.record(await self._ask(calls.job(key)))

    async def cancel(self, key: str | int, grace: float | None = None) -> JobRecord:
        """`grace` is s between TERM and KILL; None: as the job's spec says."""
        content = None if grace is None else {"grace": grace}
        return calls.acted(await self._ask(calls.act(key, "cancel", content)))

    async def hold(self, key: str | int) -> JobRecord:
        return calls.acted(await self._ask(calls.act(key, "hold")))

    async def release(self, key: str | int) -> JobRecord:
        return calls.acted(await self._ask(calls.act(key, "release")))

    async def retry(self, key: str | int) -> JobRecord:
        return calls.acted(await self._ask(calls.act(key, "retry")))

    async def set_priority(self, key: str | int, priority: int) -> JobRecord:
        return calls.acted(await self._ask(calls.act(key, "priority", {"priority": priority})))

    async def remove(self, key: str | int, *, files: bool = False) -> None:
        """Forget an ended job; with `files` its output and its own folder, too."""
        calls.checked(await self._ask(calls.remove(key, files)))

    async def wait(self, keys: Sequence[str | int], timeout: float | None = None) -> bool:  # noqa: ASYNC109  False is an answer, not an error
        """Until all of them have ended; False: `timeout` s are over."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        for key in keys:
            if not await self._ended(key, deadline):
                return False
        return True

    async def log(
        self,
        key: str | int,
        stream: str = "stdout",
        *,
        offset: int = 0,
        limit: int = calls.PIECE,
        attempt: int | None = None,
        wait: float = 0.0,
    ) -> LogPart:
        """Bytes of its output from `offset` (negative: from the end), of its newest attempt."""
        call = calls.log(key, stream, offset, limit, attempt, wait)
        return calls.log_part(await self._ask(call))

    async def follow_log(
        self, key: str | int, stream: str = "stdout", *, offset: int = 0
    ) -> AsyncIterator[bytes]:
        """Its output as it comes, from `offset`, until the attempt has ended."""
        attempt: int | None = None
        while True:
            part = await self.log(key, stream, offset=offset, attempt=attempt, wait=calls.LONG_POLL)
            if part.content:
                yield part.content
            elif part.ended:
                return
            offset = part.next_offset
            attempt = part.attempt if offset else None  # until it spoke, another may follow

    async def files(self, key: str | int) -> list[FileEntry]:
        """The files in its folder."""
        return calls.file_entries(await self._ask(calls.files(key)))

    async def read_file(self, key: str | int, path: str) -> bytes:
        """One file's bytes."""
        return calls.checked(await self._ask(calls.file(key, path))).body

    async def events(self, after: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        """Numbered events after number `after`; their fields are the event's own."""
        found: list[dict[str, Any]] = calls.value(await self._ask(calls.events(after, limit)))
        return found

    async def queue(self) -> dict[str, int]:
        """How many jobs are in each state."""
        return calls.counts(await self._ask(calls.get("/queue")))

    async def status(self) -> dict[str, Any]:
        state: dict[str, Any] = calls.value(await self._ask(calls.get("/system/status")))
        return state

    async def set_limits(self, max_concurrent: int | None) -> None:
        calls.checked(await self._ask(calls.set_limits(max_concurrent)))

    async def stop(self, how: str | None = None) -> dict[str, Any]:
        """Begin to stop the manager; returns before it has gone."""
        answer: dict[str, Any] = calls.value(await self._ask(calls.stop(how)))
        return answer

    async def _ended(self, key: str | int, deadline: float | None) -> bool:
        loop = asyncio.get_running_loop()
        while True:
            left = calls.LONG_POLL if deadline is None else deadline - loop.time()
            try:
                call = calls.wait(key, min(calls.LONG_POLL, max(0.0, left)))
                calls.checked(await self._ask(call))
            except TimeoutError:
                if deadline is not None and loop.time() >= deadline:
                    return False
            else:
                return True

    async def _ask(self, call: Call) -> Reply:
        tries = calls.TRIES
        while True:
            tries -= 1
            try:
                return await self._send(call)
            except aiohttp.ClientConnectorCertificateError as error:
                if not tries:  # a renewed one may just have been taken up
                    raise calls.untrusted(self._base, error.certificate_error) from error
            except aiohttp.ClientConnectorError as error:  # nothing was sent
                if not tries:
                    raise ManagerUnavailable(
                        f"no manager answers: {error} (start one: solveyard serve)"
                    ) from error
            except (OSError, aiohttp.ClientError) as error:
                if not tries or not call.repeatable:
                    raise calls.lost(call, error) from error
            await self.close()
            await asyncio.sleep(calls.PAUSE)

    async def _send(self, call: Call) -> Reply:
        if self._session is None:
            self._session = self._opened()
        async with self._session.request(
            call.method,
            self._base + call.target,
            data=call.body,
            headers={"Content-Type": calls.CONTENT} if call.body is not None else {},
            timeout=aiohttp.ClientTimeout(sock_connect=10.0, sock_read=call.patience),
        ) as response:
            headers = {name.lower(): text for name, text in response.headers.items()}
            return Reply(response.status, headers, await response.read())

    def _opened(self) -> aiohttp.ClientSession:
        where = self._where if isinstance(self._where, Address) else find.running(self._where)
        connector = (
            # A connection that was closed meanwhile must not be mistaken for a lost answer.
            aiohttp.UnixConnector(where.socket, force_close=True)
            if where.socket
            else aiohttp.TCPConnector(force_close=True, ssl=where.trust or True)
        )
        self._base = "http://localhost" if where.socket else where.url
        return aiohttp.ClientSession(connector=connector, headers=calls.credentials(where.token))
