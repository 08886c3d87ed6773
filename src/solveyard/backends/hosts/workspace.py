"""A job's files on a machine over SSH, while they are there."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from solveyard.backends.hosts.base import Away
from solveyard.backends.hosts.remote import Part, Remote, Stat, Walked
from solveyard.backends.hosts.ssh import Failed
from solveyard.backends.workspace import (
    FileEntry,
    Fits,
    Missing,
    NoSuchFile,
    Page,
    Unread,
    chosen_of,
    every,
)
from solveyard.model.errors import InvalidRequest

_PATIENCE = 30.0  #: s that somebody waits for an answer
_T = TypeVar("_T")


class RemoteWorkspace:
    """As `LocalWorkspace`, of a folder there. Blocking: not for the thread of `loop`."""

    def __init__(
        self, remote: Remote, root: Callable[[], str], loop: asyncio.AbstractEventLoop
    ) -> None:
        """`root` tells the folder once `remote` is ready."""
        self._remote = remote
        self._root = root
        self._loop = loop

    def walk(self, below: str = "", unread: Unread = lambda _: None) -> list[FileEntry]:
        """Raises InvalidRequest when nobody answers there; so do the others."""
        found = self._wait(self._walked(below), "its files can't be listed")
        if found.trouble:
            unread(found.trouble)
        folder = f"{below}/" if below else ""
        return [
            FileEntry(f"{folder}{path}", one.size, float(one.modified))
            for path, one in found.files.items()
        ]

    def page(self, limit: int, after: str = "", fits: Fits = every) -> Page:
        missing = Missing()
        found = ((one.path, one) for one in self.walk(unread=missing.note) if fits(one.path))
        chosen, total, more = chosen_of(found, limit, after)
        return Page([one for _, one in chosen], total, more, missing.text)

    def stat(self, path: str) -> FileEntry | None:
        """None: there is no such file."""
        return self._wait(self._stat(path), f"cannot look at {path[:100]}")

    def open(self, path: str) -> "_File":
        """Raises NoSuchFile where there is none."""
        if (found := self.stat(path)) is None:
            raise NoSuchFile(f"{path} is not a regular file in the job's folder")
        return _File(self, found)

    def read(self, path: str, offset: int = 0, limit: int = 1 << 20) -> bytes:
        """At most `limit` bytes from `offset`; a negative offset counts from the end."""
        return self._wait(self._read(path, offset, limit), f"cannot read {path[:100]}")

    async def _walked(self, below: str) -> Walked:
        await self._remote.ready()
        (found,) = await self._remote.walk([f"{self._root()}/{below}/"])
        return found

    async def _inside(self, path: str) -> tuple[str, Stat] | None:
        if "\0" in path or "\n" in path:
            raise InvalidRequest(f"{path!r} is no path")
        await self._remote.ready()
        return await self._remote.inside(self._root(), path)

    async def _stat(self, path: str) -> FileEntry | None:
        found = await self._inside(path)
        return found and FileEntry(path, found[1].size, float(found[1].modified))

    async def _read(self, path: str, offset: int, limit: int) -> bytes:
        found = await self._inside(path)
        if found is None:
            raise InvalidRequest(f"{path} is not a regular file in the job's folder")
        place, (size, *_) = found
        start = max(0, size + offset) if offset < 0 else offset
        count = min(limit, size - start)
        if count <= 0:
            return b""
        (content,) = await self._remote.read([Part(place, start, count)])
        return content

    def _wait(self, what: Coroutine[Any, Any, _T], fails: str) -> _T:
        future = asyncio.run_coroutine_threadsafe(what, self._loop)
        try:
            return future.result(_PATIENCE)
        except (Away, Failed) as error:
            raise InvalidRequest(f"{fails}: {error}") from error
        except TimeoutError as error:
            future.cancel()
            raise InvalidRequest(f"{fails}: {self._remote.host.where} doesn't answer") from error


class _File:
    """It is found anew for each part of it."""

    def __init__(self, workspace: RemoteWorkspace, entry: FileEntry) -> None:
        self._workspace = workspace
        self.entry = entry

    def read(self, offset: int = 0, limit: int = 1 << 20) -> bytes:
        return self._workspace.read(self.entry.path, offset, limit)

    def close(self) -> None:
        """Nothing of it is open."""
