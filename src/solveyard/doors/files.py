"""A job's output and files over HTTP."""

import asyncio
import shutil
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from solveyard.doors import encoding
from solveyard.doors.keys import CLOSING, MANAGER
from solveyard.manager import Manager
from solveyard.model.errors import InvalidRequest, UnknownJob
from solveyard.model.jobs import Job

CHUNK = 1 << 20  #: bytes
LOOK_AGAIN = 0.1  #: s between two looks at a log that somebody follows


class FileEntry(NamedTuple):
    """A file in a job's folder."""

    path: str
    size: int  #: bytes
    modified: float  #: s since 1970


async def logs(request: web.Request) -> web.Response:
    """Bytes of a job's output. Headers tell how it goes on.

    X-Next-Offset: where to read on; X-Size: of all the output, so far, in bytes; X-Attempt: whose
    output it is; X-Ended: 1 when the attempt had ended before this was read.
    """
    wanted = encoding.query(request, encoding.LogsQuery)
    manager = request.app[MANAGER]
    job = manager.find(request.match_info["id"])
    attempt = wanted.attempt if wanted.attempt is not None else max(1, len(job.attempts))
    if not 1 <= attempt <= max(1, len(job.attempts)):
        raise UnknownJob(f"job {job.id} has no attempt {attempt} (it has {len(job.attempts)})")
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wanted.wait
    while True:
        ended = _ended(manager.job(job.id), attempt)
        content, offset, size = b"", max(0, wanted.offset), 0
        if job.attempts:
            stdout, stderr = manager.log_paths(job.id, attempt)
            path = stdout if wanted.stream == "stdout" else stderr
            content, offset, size = await asyncio.to_thread(
                read_log, path, wanted.offset, wanted.limit
            )
        if content or ended or loop.time() >= deadline or request.app[CLOSING].is_set():
            break
        await asyncio.sleep(LOOK_AGAIN)
        job = manager.job(job.id)
    headers = {
        "X-Next-Offset": str(offset + len(content)),
        "X-Size": str(size),
        "X-Attempt": str(attempt),
        "X-Ended": "1" if ended else "0",
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(body=content, headers=headers, content_type="text/plain")


def read_log(path: Path, offset: int, limit: int) -> tuple[bytes, int, int]:
    """At most `limit` bytes, where they begin, and the size of all; nothing where no file is."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = max(0, size + offset) if offset < 0 else offset
            file.seek(start)
            return file.read(limit), start, size
    except FileNotFoundError:
        return b"", max(0, offset), 0


async def listing(request: web.Request) -> web.Response:
    """The files in the job's folder."""
    encoding.query(request, encoding.NoQuery)
    manager = request.app[MANAGER]
    workspace = manager.workspace(manager.find(request.match_info["id"]).id)
    entries = await asyncio.to_thread(workspace.list)
    return encoding.answer([entry._asdict() for entry in entries])


async def content(request: web.Request) -> web.StreamResponse:
    """One file's bytes."""
    encoding.query(request, encoding.NoQuery)
    manager = request.app[MANAGER]
    workspace = manager.workspace(manager.find(request.match_info["id"]).id)
    path = request.match_info["path"]
    if "\0" in path:
        raise InvalidRequest(f"{path!r} is not a path")
    try:
        found = await asyncio.to_thread(workspace.stat, path)
    except OSError as error:
        raise InvalidRequest(f"cannot read {path}: {error.strerror}") from error
    if found is None:
        return encoding.refusal(404, "unknown_file", f"the job has no file {path!r}")
    chunk = await asyncio.to_thread(workspace.read, path, 0, CHUNK)
    response = web.StreamResponse(headers={"X-Content-Type-Options": "nosniff"})
    response.content_type = "application/octet-stream"
    await response.prepare(request)
    offset = 0
    while chunk:
        await response.write(chunk)
        offset += len(chunk)
        chunk = await asyncio.to_thread(workspace.read, path, offset, CHUNK)
    return response


def belongings(manager: Manager, job: Job) -> list[Path]:
    """What is the job's alone: its output, and its folder where that is its own."""
    places = [
        path
        for attempt in range(1, len(job.attempts) + 1)
        for path in manager.log_paths(job.id, attempt)
    ]
    if not job.spec.directory:
        places.append(manager.workspace(job.id).root)
    return places


def delete(places: list[Path]) -> None:
    """Blocking. What is gone already is no error."""
    for place in places:
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)


def _ended(job: Job, attempt: int) -> bool:
    """Nothing more will come from this attempt."""
    if attempt < len(job.attempts):
        return True
    return job.state.final
