"""A job's inputs on their way to its cluster: what is there by its checksum isn't sent again."""

import asyncio
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from solveyard.backends.here import LocalFile, LocalWorkspace
from solveyard.backends.hosts.remote import PIECE, Remote, Step
from solveyard.backends.hosts.ssh import Failed
from solveyard.model.errors import InvalidJob, InvalidRequest, NotAllowed
from solveyard.model.texts import is_plain

_SMALL = 64 << 10  #: bytes of a file that goes with the others of its job
_STEPS = 200  #: in one command
_FILES = 10_000  #: of one job
_TRIES = 3  #: of a file that changes while it is sent
_FULL = re.compile("no space left|quota exceeded", re.IGNORECASE)


class TooLarge(Failed):
    """What is to be sent finds no room there, where other jobs' files may."""


class Kept(NamedTuple):
    """What is kept there by its checksum is so much of a file here."""

    workspace: LocalWorkspace
    path: str
    size: int  #: bytes; what is written to its end later doesn't go

    def open(self) -> LocalFile:
        return _opened(self.workspace, self.path)


@dataclass
class Load:
    """What several jobs need there."""

    steps: list[Step] = field(default_factory=list)
    content: dict[str, Kept] = field(default_factory=dict)  #: what is kept there, by checksum


class Outgoing:
    def __init__(self, remote: Remote, most: int, store: str) -> None:
        """`most`: bytes of one job's folder; `store`: its id, others may use the same folder."""
        self._remote = remote
        self._store = store
        self._most = most
        self._turn = asyncio.Lock()  # two jobs may need the same
        self._sums: dict[tuple[str, int, int], str] = {}  #: by path, size and time

    def add(
        self,
        load: Load,
        folder: Path,
        there: str,
        *,
        within: Sequence[str] = (),
        shared: bool = False,
    ) -> dict[str, str]:
        """All regular files below `folder`; returns their checksums. Blocking.

        `within`: real folders, in one of which that must be; none: anywhere. `shared`: it is added
        for several jobs. Raises InvalidJob, OSError.
        """
        load.steps.append(Step("folder", there))
        workspace = LocalWorkspace(folder, within)
        unread: list[str] = []
        try:
            entries = sorted(islice(workspace.walk(unread=unread.append), _FILES + 1))
        except NotAllowed as error:
            raise InvalidJob(str(error)) from error
        if unread:
            raise InvalidJob(
                f"not all of {folder} can be sent: {unread[0]} (let it be read, or keep it out of"
                " the job's folder)"
            )
        size = sum(entry.size for entry in entries)
        if len(entries) > _FILES or size > self._most:
            raise InvalidJob(
                f"{folder} is too much to send: {size} bytes in {len(entries)} files (it can be"
                f" {self._most} in {_FILES}; keep its inputs in a folder of their own, or give"
                " the cluster a `path_map`)"
            )
        sums: dict[str, str] = {}
        made = {there}
        for entry in entries:
            if not is_plain(entry.path):
                raise InvalidJob(f"{folder}: {entry.path!r} can't be sent: its name isn't plain")
            for above in reversed(PurePosixPath(entry.path).parents[:-1]):
                if (parent := f"{there}/{above}") not in made:
                    made.add(parent)
                    load.steps.append(Step("folder", parent))
            sums[entry.path] = self._add_file(
                load, workspace, entry.path, f"{there}/{entry.path}", shared=shared
            )
        return sums

    def add_file(self, load: Load, place: Path, there: str) -> str:
        """One file of ours, into a folder that is there; returns its checksum. Blocking."""
        return self._add_file(load, LocalWorkspace(place.parent), place.name, there, shared=False)

    def _add_file(
        self, load: Load, workspace: LocalWorkspace, path: str, there: str, *, shared: bool
    ) -> str:
        with _opened(workspace, path) as file:
            found = file.found
            mode = 0o700 if found.st_mode & 0o100 else 0o600
            if found.st_size <= (0 if shared else _SMALL):
                content = b"".join(_pieces(file, None))
                sha256 = hashlib.sha256(content).hexdigest()
                load.steps.append(Step("file", there, sha256, mode, content))
            else:
                sha256 = self._sum(f"{workspace.root}/{path}", file)
                load.content[sha256] = Kept(workspace, path, found.st_size)
                load.steps.append(Step("copy", there, sha256, mode))
        return sha256

    async def send(self, load: Load) -> None:
        """Raises Away, Failed, TooLarge, OSError."""
        async with self._turn:
            kept = {sha256: self._remote.content(sha256) for sha256 in load.content}
            known = await self._remote.stat(list(kept.values()))
            await self._fits(load.content[one] for one, there in kept.items() if there not in known)
            small: list[Step] = []
            for sha256, there in kept.items():
                one = load.content[sha256]
                if there in known:
                    continue
                if one.size <= _SMALL:
                    content = await asyncio.to_thread(_piece, one, 0)
                    small.append(Step("file", there, sha256, content=content))
                else:
                    await self._upload(sha256, one)
            await self._put(small)
        await self._put(load.steps)

    async def _fits(self, new: Iterable[Kept]) -> None:
        """Raises TooLarge: a part of it would take the room from what runs there."""
        needed = sum(one.size for one in new if one.size > _SMALL)
        room = await self._remote.room() if needed else None
        if room is not None and needed > room:
            raise TooLarge(
                f"No space left on device: {room >> 20} MiB are free, and {-(-needed >> 20)} MiB"
                " are to be sent"
            )

    async def _put(self, steps: Sequence[Step]) -> None:
        for some in _slices(steps):
            await self._remote.put(some)

    async def _upload(self, sha256: str, one: Kept) -> None:
        """Where an earlier try ended, this one goes on."""
        part = f"{self._remote.content(sha256)}.{self._store}.part"
        for last in [False] * (_TRIES - 1) + [True]:
            try:
                await self._append(part, one)
                await self._remote.keep(part, sha256)
            except Failed as error:
                if _FULL.search(str(error)):
                    await self._remote.remove([part])
                    raise
                if last and await asyncio.to_thread(_sum_of, one) != sha256:
                    raise Failed(_changes(one)) from error
                if last:
                    raise
            else:
                return

    async def _append(self, part: str, one: Kept) -> None:
        found = await self._remote.stat([part])
        offset = found[part].size if part in found else 0
        if offset > one.size:
            await self._remote.remove([part])
            offset = 0
        while offset < one.size:
            content = await asyncio.to_thread(_piece, one, offset)
            if not content:
                raise Failed(_changes(one))
            await self._remote.append(part, offset, content)
            offset += len(content)

    def _sum(self, place: str, file: LocalFile) -> str:
        key = (place, file.found.st_size, file.found.st_mtime_ns)
        if key not in self._sums:
            self._sums[key] = checksum(file, file.found.st_size)
        return self._sums[key]


def checksum(file: LocalFile, size: int | None = None) -> str:
    """SHA-256, of its first `size` bytes where that is given. Blocking."""
    digest = hashlib.sha256()
    for content in _pieces(file, size):
        digest.update(content)
    return digest.hexdigest()


def _pieces(file: LocalFile, size: int | None) -> Iterator[bytes]:
    """From its beginning, to its end where no `size` is given."""
    at = 0
    while content := file.read(at, PIECE if size is None else min(PIECE, size - at)):
        yield content
        at += len(content)


def _opened(workspace: LocalWorkspace, path: str) -> LocalFile:
    """Raises InvalidJob."""
    try:
        return workspace.open(path)
    except InvalidRequest as error:
        raise InvalidJob(f"it can't be sent: {error}") from error


def _sum_of(one: Kept) -> str:
    with one.open() as file:
        return checksum(file, one.size)


def _changes(one: Kept) -> str:
    place = one.workspace.root / one.path
    return f"{place} changes while it is sent: keep it out of the job's folder"


def _piece(one: Kept, offset: int) -> bytes:
    with one.open() as file:
        return file.read(offset, min(PIECE, one.size - offset))


def _slices(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    some: list[Step] = []
    size = 0
    for step in steps:
        if some and (len(some) == _STEPS or size + len(step.content) > PIECE):
            yield some
            some, size = [], 0
        some.append(step)
        size += len(step.content)
    if some:
        yield some
