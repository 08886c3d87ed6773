"""A job's files over HTTP."""

import asyncio
import base64
import contextlib
import os
import re
from urllib.parse import quote

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from solveyard.backends.workspace import File, every, opened
from solveyard.doors import encoding, ranges
from solveyard.doors.keys import MANAGER
from solveyard.model import paths
from solveyard.model.errors import InvalidRequest
from solveyard.results import overlay
from solveyard.solvers.touchstone import ports_of

CHUNK = 1 << 20  #: bytes
MOST = 10_000  #: files in one answer


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A file in a job's folder."""

    path: str  #: a byte of a name that isn't UTF-8 is "%FF"
    size: int  #: bytes
    modified: float  #: s since 1970
    #: Where Touchstone files are asked for: it is surely this job's, none of another one that works
    #: in the same folder.
    own: bool | UnsetType = UNSET


class FilesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of a job's files."""

    limit: int = MOST
    cursor: str | None = None  #: where the page before says that this one begins
    touchstone: bool = False  #: only those of a Touchstone name, such as antenna.s1p

    def __post_init__(self) -> None:
        encoding.within("limit", self.limit, 1, MOST)


async def listing(request: web.Request) -> web.Response:
    """The files in the job's folder, by path: a page.

    X-Total-Count: how many there are; X-Next-Cursor: where the next page begins; X-Unread: what
    could not be looked at, and why, as UTF-8 in percent-encoding: there may be more files.
    """
    wanted = encoding.query(request, FilesQuery)
    manager = request.app[MANAGER]
    job = manager.find(request.match_info["id"])
    workspace = manager.workspace(job.id)
    after = "" if wanted.cursor is None else _read_cursor(wanted.cursor)
    fits = _is_touchstone if wanted.touchstone else every
    found = await asyncio.to_thread(workspace.page, wanted.limit, after, fits)
    headers = {"X-Total-Count": str(found.total)}
    if found.more:
        headers["X-Next-Cursor"] = _cursor(found.more)
    if found.unread:
        headers["X-Unread"] = quote(paths.spelt(found.unread))
    own = overlay.own(job) if wanted.touchstone else lambda _: UNSET
    entries = [
        FileEntry(
            path=paths.spelt(one.path), size=one.size, modified=one.modified, own=own(one.path)
        )
        for one in found.files
    ]
    return encoding.answer(entries, headers=headers)


async def content(request: web.Request) -> web.StreamResponse:
    """One file's bytes, or with a `Range` header a part of them."""
    encoding.query(request, encoding.NoQuery)
    manager = request.app[MANAGER]
    workspace = manager.workspace(manager.find(request.match_info["id"]).id)
    asked = request.match_info["path"]
    if "\0" in asked:
        raise InvalidRequest(f"{asked!r} is not a path")
    try:
        file = await asyncio.to_thread(opened, workspace, asked)
    except OSError as error:
        raise InvalidRequest(f"cannot read {asked}: {error.strerror}") from error
    if file is None:
        return encoding.refusal(404, "unknown_file", f"the job has no file {asked!r}")
    try:
        return await _sent(request, file, asked)
    finally:
        await asyncio.to_thread(file.close)


async def _sent(request: web.Request, file: File, asked: str) -> web.StreamResponse:
    """All of it from one file, whatever has its name meanwhile."""
    found = file.entry
    etag = f'"{found.modified:.6f}-{found.size}"'
    part = ranges.wanted(request, found.size, etag)
    if part is None:
        return ranges.unsatisfiable(found.size)
    chunk = await asyncio.to_thread(file.read, part.start, min(CHUNK, len(part)))
    headers = {"ETag": etag, "Content-Disposition": _attachment(asked), **ranges.SAFE}
    response = web.StreamResponse(headers=headers)
    response.content_type = "application/octet-stream"
    response.content_length = len(part)
    ranges.tell(response, part, found.size)
    await response.prepare(request)
    sent = 0
    while chunk:
        await response.write(chunk)
        sent += len(chunk)
        at, left = part.start + sent, len(part) - sent
        chunk = b""
        if left:
            with contextlib.suppress(OSError):
                chunk = await asyncio.to_thread(file.read, at, min(CHUNK, left))
    if sent < len(part):  # it shrank, or can't be read: the reader must not take this for all of it
        ranges.cut(request)
    return response


def _is_touchstone(path: str) -> bool:
    return ports_of(path) is not None


def _cursor(path: str) -> str:
    """Of the page that goes on after the file at `path`."""
    return base64.urlsafe_b64encode(os.fsencode(path)).decode()


def _read_cursor(cursor: str) -> str:
    """The path. Raises InvalidRequest when it is none of ours."""
    try:
        return os.fsdecode(base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True))
    except ValueError as error:
        raise InvalidRequest(
            f"not a page's cursor: {cursor[:40]!r} (take the header X-Next-Cursor of the page"
            " before, or none)"
        ) from error


def _attachment(path: str) -> str:
    """A browser saves it, under its own name, and doesn't show it."""
    name = path.rpartition("/")[2]
    plain = re.sub(r"[^\w.()+ -]", "_", name, flags=re.ASCII)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
