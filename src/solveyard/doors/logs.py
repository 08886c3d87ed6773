"""A job's output over HTTP."""

import asyncio
from pathlib import Path
from typing import NamedTuple

import msgspec
from aiohttp import web

from solveyard.doors import encoding, ranges
from solveyard.doors.keys import CLOSING, KEEPER, MANAGER, caller
from solveyard.manager.manager import Manager
from solveyard.model.errors import UnknownJob
from solveyard.model.jobs import Job, JobId

CHUNK = 1 << 20  #: bytes
MOST = 1 << 24  #: bytes in one answer, but for one that follows
STILL = 1.0  #: s after which who follows a log is asked again whether they may
LOOK_AGAIN = 0.1  #: s between two looks at a log that somebody follows


class LogsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of a job's output."""

    stream: str = "stdout"
    offset: int = 0  #: bytes; negative: from the end
    tail: int | None = None  #: begin with the last so many lines, in place of `offset`
    limit: int = CHUNK  #: bytes
    attempt: int | None = None  #: from 1, or the next one; None: the newest
    wait: float = 0.0  #: s to wait for something to come, where there is nothing yet
    follow: bool = False  #: go on until the attempt has ended; `limit` doesn't count

    def __post_init__(self) -> None:
        if self.stream not in {"stdout", "stderr"}:
            raise ValueError(f"`stream` is 'stdout' or 'stderr', not {self.stream!r}")
        if self.tail is not None and self.offset:
            raise ValueError("give `offset` or `tail`, not both")
        encoding.within("offset", self.offset, -(2**62), 2**62)
        encoding.within("tail", self.tail or 0, 0, 1_000_000)
        encoding.within("limit", self.limit, 1, MOST)
        encoding.within("wait", self.wait, 0, 60)


class Log(NamedTuple):
    """One stream of one attempt."""

    manager: Manager
    job: JobId
    attempt: int
    stream: str

    @property
    def path(self) -> Path | None:
        """None: the attempt hasn't begun."""
        if self.attempt > len(self.manager.job(self.job).attempts):
            return None
        stdout, stderr = self.manager.log_paths(self.job, self.attempt)
        return stdout if self.stream == "stdout" else stderr

    @property
    def ended(self) -> bool:
        """Nothing more will come."""
        job = self.manager.job(self.job)
        if job.state.final or self.attempt < len(job.attempts):
            return True
        return self.attempt == len(job.attempts) and not job.attempts[-1].live

    @property
    def spoken(self) -> "Log":
        """Of the attempt that its job has, or will have, in place of one that was taken back before
        it started: that one says nothing.
        """
        job = self.manager.job(self.job)
        last = len(job.attempts) - job.state.final  # after the last of an ended job there is none
        number = self.attempt
        while number <= last and job.attempts[number - 1].withdrawn:
            number += 1
        return self._replace(attempt=number)


async def read(request: web.Request) -> web.StreamResponse:
    """Bytes of a job's output. Headers tell how it goes on.

    X-Next-Offset: where to read on; X-Size: of all the output, so far, in bytes: less than before
    where it was cut, and is written anew; X-Attempt: whose output it is; X-Ended: 1 when the
    attempt had ended before this was read. `wait` ends at once where there is less than `offset`.
    Without `attempt` one that is taken back before it starts is passed over. With `follow` the
    answer goes on until the attempt has ended, from the beginning again where its output was cut,
    and is left without its end when the manager stops before. The header `Range` is understood
    where none of `offset`, `tail` and `follow` is given.
    """
    wanted = encoding.query(request, LogsQuery)
    manager = request.app[MANAGER]
    log = _log(manager, manager.find(request.match_info["id"]), wanted)
    if wanted.follow and request.method != "HEAD":
        return await _follow(request, log, wanted)
    part = ranges.asked(request) if not wanted.offset and wanted.tail is None else None
    offset, limit = wanted.offset, wanted.limit
    if part is not None:
        offset = part.start or 0
        limit = MOST if part.stop is None else min(MOST, part.stop - offset)
    elif wanted.tail is not None:
        offset = await asyncio.to_thread(tail, log.path, wanted.tail)
    loop = asyncio.get_running_loop()
    deadline, known = loop.time() + wanted.wait, max(0, offset)  # it was as far as that
    while True:
        ended = log.ended
        first, start, size = await asyncio.to_thread(read_log, log.path, offset, min(limit, CHUNK))
        if first or ended or size < known:
            break
        if loop.time() >= deadline or request.app[CLOSING].is_set():
            break
        known = size
        await asyncio.sleep(LOOK_AGAIN)
        log = log.spoken if wanted.attempt is None else log
    if part is not None and not first:
        return ranges.unsatisfiable(size)
    told = range(start, start + (min(limit, size - start) if first else 0))
    headers = {
        "X-Next-Offset": str(told.stop),
        "X-Size": str(size),
        "X-Attempt": str(log.attempt),
        "X-Ended": "1" if ended else "0",
        **ranges.SAFE,
    }
    if len(first) == len(told):
        response: web.StreamResponse = web.Response(body=first, headers=headers)
    else:
        response = web.StreamResponse(headers=headers)
        response.content_length = len(told)
    response.content_type = "text/plain"
    if part is not None:
        ranges.tell(response, told, size)
    if len(first) < len(told):
        await response.prepare(request)
        if request.method != "HEAD":
            await _send(request, response, log.path, told, first)
    return response


async def _send(
    request: web.Request, response: web.StreamResponse, path: Path | None, told: range, first: bytes
) -> None:
    """All of it, `first` first: only so much at once in memory, however slowly it is read."""
    content, at = first, told.start
    while content:
        await response.write(content)
        at += len(content)
        content = b""
        if at < told.stop:
            left = min(CHUNK, told.stop - at)
            content, _, _ = await asyncio.to_thread(read_log, path, at, left)
    if at < told.stop:  # it was cut meanwhile: the reader must not take this for all of it
        ranges.cut(request)


def read_log(path: Path | None, offset: int, limit: int) -> tuple[bytes, int, int]:
    """At most `limit` bytes, where they begin, and the size of all; nothing where no file is."""
    if path is None:
        return b"", max(0, offset), 0
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = max(0, size + offset) if offset < 0 else offset
            if start >= size:  # seeking far beyond it fails
                return b"", start, size
            file.seek(start)
            return file.read(min(limit, size - start)), start, size  # it may grow meanwhile
    except FileNotFoundError:
        return b"", max(0, offset), 0


def tail(path: Path | None, lines: int) -> int:
    """Where the last `lines` lines begin. An unfinished line is a line; beyond 16 MiB it stops."""
    _, _, size = read_log(path, 0, 0)
    if lines == 0:
        return size
    start, left = size, lines + 1
    last = True
    while start > max(0, size - MOST):
        before = max(0, start - CHUNK)
        chunk, _, _ = read_log(path, before, start - before)
        if last and not chunk.endswith(b"\n"):
            left -= 1
        last = False
        at = len(chunk)
        while (at := chunk.rfind(b"\n", 0, at)) >= 0:
            left -= 1
            if left == 0:
                return before + at + 1
        start = before
    return start


async def _follow(request: web.Request, log: Log, wanted: LogsQuery) -> web.StreamResponse:
    offset = wanted.offset
    if wanted.tail is not None:
        offset = await asyncio.to_thread(tail, log.path, wanted.tail)
    headers = {"X-Attempt": str(log.attempt), "X-Accel-Buffering": "no", **ranges.SAFE}
    response = web.StreamResponse(headers=headers)
    response.content_type = "text/plain"
    await response.prepare(request)
    keeper = request.app.get(KEEPER)
    loop = asyncio.get_running_loop()
    asked, known = loop.time(), 0
    try:
        while True:
            log = log.spoken if wanted.attempt is None else log
            ended = log.ended
            content, start, size = await asyncio.to_thread(read_log, log.path, offset, CHUNK)
            if size < known:  # it was cut, and is written anew
                offset, known = 0, size
                continue
            offset, known = start + len(content), size
            if loop.time() > asked + STILL:
                asked = loop.time()
                if keeper is not None and not keeper.holds(caller(request)):
                    break
            if content:
                await response.write(content)
            elif ended:
                return response
            elif request.app[CLOSING].is_set():
                break
            else:
                await asyncio.sleep(LOOK_AGAIN)
    except UnknownJob:  # it was removed
        return response
    ranges.cut(request)
    return response


def _log(manager: Manager, job: Job, wanted: LogsQuery) -> Log:
    """Raises UnknownJob where there was no such attempt, and it isn't the next."""
    had = len(job.attempts)
    if wanted.attempt is None:
        return Log(manager, job.id, max(1, had), wanted.stream).spoken
    most = had if had and job.attempts[-1].live else had + 1
    if not 1 <= wanted.attempt <= most:
        raise UnknownJob(f"job {job.id} has no attempt {wanted.attempt} (it has {had})")
    return Log(manager, job.id, wanted.attempt, wanted.stream)
