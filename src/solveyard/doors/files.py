"""A job's files over HTTP."""

import asyncio
import re
from urllib.parse import quote

import msgspec
from aiohttp import web

from solveyard.backends.workspace import named
from solveyard.doors import encoding, ranges
from solveyard.doors.keys import MANAGER
from solveyard.model import paths
from solveyard.model.errors import InvalidRequest

CHUNK = 1 << 20  #: bytes


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A file in a job's folder."""

    path: str  #: a byte of a name that isn't UTF-8 is "%FF"
    size: int  #: bytes
    modified: float  #: s since 1970


async def listing(request: web.Request) -> web.Response:
    """The files in the job's folder."""
    encoding.query(request, encoding.NoQuery)
    manager = request.app[MANAGER]
    workspace = manager.workspace(manager.find(request.match_info["id"]).id)
    entries = await asyncio.to_thread(workspace.list)
    return encoding.answer(
        [
            FileEntry(path=paths.spelt(one.path), size=one.size, modified=one.modified)
            for one in entries
        ]
    )


async def content(request: web.Request) -> web.StreamResponse:
    """One file's bytes, or with a `Range` header a part of them."""
    encoding.query(request, encoding.NoQuery)
    manager = request.app[MANAGER]
    workspace = manager.workspace(manager.find(request.match_info["id"]).id)
    asked = request.match_info["path"]
    if "\0" in asked:
        raise InvalidRequest(f"{asked!r} is not a path")
    try:
        found = await asyncio.to_thread(named, workspace, asked)
    except OSError as error:
        raise InvalidRequest(f"cannot read {asked}: {error.strerror}") from error
    if found is None:
        return encoding.refusal(404, "unknown_file", f"the job has no file {asked!r}")
    etag = f'"{found.modified:.6f}-{found.size}"'
    part = ranges.wanted(request, found.size, etag)
    if part is None:
        return ranges.unsatisfiable(found.size)
    chunk = await asyncio.to_thread(workspace.read, found.path, part.start, min(CHUNK, len(part)))
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
            chunk = await asyncio.to_thread(workspace.read, found.path, at, min(CHUNK, left))
    if sent < len(part):  # it has shrunk meanwhile: the reader must not take this for all of it
        ranges.cut(request)
    return response


def _attachment(path: str) -> str:
    """A browser saves it, under its own name, and doesn't show it."""
    name = path.rpartition("/")[2]
    plain = re.sub(r"[^\w.()+ -]", "_", name, flags=re.ASCII)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
