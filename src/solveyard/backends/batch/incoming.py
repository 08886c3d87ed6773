"""Results on their way from a cluster: what a job made or changed there, whole or not at all."""

import asyncio
import errno
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from solveyard.backends.batch import links
from solveyard.backends.batch.mirror import Mirror, Pair
from solveyard.backends.batch.outgoing import checksum
from solveyard.backends.here import LocalFile
from solveyard.backends.hosts.remote import PIECE, Part, Remote, Stat, Walked, shown
from solveyard.backends.hosts.ssh import Failed
from solveyard.model.jobs import AttemptId
from solveyard.model.texts import is_plain
from solveyard.wire.beneath import Folder

_SMALL = 64 << 10  #: bytes of a file that comes with others
_AT_ONCE = 50
_APPEND = os.O_WRONLY | os.O_APPEND
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_TRIES = 2  #: of a file whose checksum is wrong, of a folder that can't be listed


class Results(NamedTuple):
    """Of one attempt."""

    attempt: AttemptId
    streams: Sequence[Pair]
    folder: Pair | None  #: None: nodes see this machine's
    sent: Mapping[str, str]  #: checksums of its inputs, by path
    record: str = ""  #: where its script's is


class Brought(NamedTuple):
    """Of several, by attempt; what of them could not come, in words."""

    left: dict[AttemptId, list[str]]  #: it is there
    gone: dict[AttemptId, list[str]]  #: nobody has it, or needs it
    large: dict[AttemptId, int]  #: of those that were left for later: bytes


class _Result(NamedTuple):
    """One file."""

    attempt: AttemptId
    pair: Pair  #: of its folder
    path: str
    stat: Stat

    @property
    def there(self) -> str:
        return f"{self.pair.there}/{self.path}"

    @property
    def here(self) -> Path:
        return self.pair.here / self.path

    def folder(self) -> Folder:
        """Its folder here, open. Raises OSError."""
        return Folder(str(self.pair.here), self.pair.within)


class _Folder(NamedTuple):
    """One attempt's, and what was found in it."""

    whose: Results
    pair: Pair
    walked: Walked

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(stat.size for stat in self.walked.files.values())


class Incoming:
    def __init__(self, remote: Remote, mirror: Mirror) -> None:
        self._remote = remote
        self._mirror = mirror

    async def bring(self, several: Sequence[Results], most: int | None = None) -> Brought:
        """All that they left is here, but for what is returned. Raises Away, Failed.

        `most`: bytes of them all; the smallest come.
        """
        streams = [pair for one in several for pair in one.streams]
        _, failed = await self._mirror.catch_up(streams, whole=True)
        troubles = {
            one.attempt: [
                f"its output could not come: {why} (it is {self._remote.host.where}:{pair.there})"
                for pair in one.streams
                if (why := failed.get(pair.here))
            ]
            for one in several
        }
        folders = await self._listed(several)
        sizes = {one.whose.attempt: one.size for one in folders}
        now = sizes.keys() if most is None else within(most, sizes)
        large = {attempt: size for attempt, size in sizes.items() if attempt not in now}
        folders = [one for one in folders if one.whose.attempt in now]
        gone: dict[AttemptId, list[str]] = {one.attempt: [] for one in several}
        await self._tell_unlisted([one for one in folders if one.walked.trouble], troubles, gone)
        for attempt, told in await self._files(folders):
            troubles[attempt].append(shown(told))
        for one in folders:
            bad, out = await asyncio.to_thread(_links, one.pair, one.walked.links)
            for path, why in bad.items():
                told = f"the link {path!r} could not come: {why} (it is {self._at(one)}/{path})"
                troubles[one.whose.attempt].append(shown(told))
            if out:
                gone[one.whose.attempt].append(shown(links.told(out)))
        left = {attempt: told for attempt, told in troubles.items() if attempt not in large}
        return Brought(left, gone, large)

    async def _listed(self, several: Sequence[Results]) -> list[_Folder]:
        pairs = [(one, one.folder) for one in several if one.folder is not None]
        walked = await self._walk([pair.there for _, pair in pairs])
        return [_Folder(*pair, found) for pair, found in zip(pairs, walked, strict=True)]

    async def _tell_unlisted(
        self,
        folders: Sequence[_Folder],
        troubles: Mapping[AttemptId, list[str]],
        gone: Mapping[AttemptId, list[str]],
    ) -> None:
        """Of those in which not all was found."""
        absent, unseen = await self._absent([one.whose for one in folders])
        for one in folders:
            attempt, where = one.whose.attempt, self._at(one)
            if attempt in absent:
                told = f"its folder is gone, with what it left there: {where}"
                gone[attempt].append(told)
                continue
            place = f"they are in {where}"
            if attempt in unseen:
                place = f"they were in {where}, which isn't to be seen"
            told = f"perhaps not all its results came: {one.walked.trouble} ({place})"
            troubles[attempt].append(told)

    async def _files(self, folders: Sequence[_Folder]) -> list[tuple[AttemptId, str]]:
        """What of them could not come, in words."""
        results = [
            _Result(one.whose.attempt, one.pair, path, stat)
            for one in folders
            for path, stat in sorted(one.walked.files.items())
        ]
        sums = await self._remote.checksums([one.there for one in results])
        sent = {one.whose.attempt: one.whose.sent for one in folders}
        new = [
            one
            for one in results
            if sums.get(one.there) != sent[one.attempt].get(one.path, "") or not one.here.exists()
        ]
        early = await self._small([one for one in new if one.there in sums])
        left: list[tuple[AttemptId, str]] = []
        for one in sorted(new, key=lambda one: one.stat.size):  # should not all find room
            if not is_plain(one.path):
                why = "its name isn't plain"
            elif one.there in sums:
                why = await self._one(one, sums[one.there], early.get(one.there))
            else:
                why = "it can't be read there"
            if why:
                where = f"{self._remote.host.where}:{one.there}"
                told = f"the result {one.path!r} could not come: {why} (it is {where})"
                left.append((one.attempt, told))
        return sorted(left)

    def _at(self, one: _Folder) -> str:
        return f"{self._remote.host.where}:{one.pair.there}"

    async def _walk(self, folders: Sequence[str]) -> list[Walked]:
        """A file that goes while it is looked at is no trouble the second time."""
        found: dict[str, Walked] = {}
        for _ in range(_TRIES):
            left = [one for one in folders if one not in found or found[one].trouble]
            if left:
                found |= dict(zip(left, await self._remote.walk(left), strict=True))
        return [found[one] for one in folders]

    async def _absent(self, several: Sequence[Results]) -> tuple[set[AttemptId], set[AttemptId]]:
        """Whose folder isn't there, where something is beside it: all can be seen then.

        And those where nothing is.
        """
        folders = {one.attempt: one.folder.there for one in several if one.folder is not None}
        beside = {
            one.attempt: [*(pair.there for pair in one.streams), *filter(None, [one.record])]
            for one in several
        }
        looked = await self._remote.look([*folders.values(), *chain(*beside.values())])
        seen = looked.found.keys()
        without = {
            attempt
            for attempt, folder in folders.items()
            if folder not in seen | looked.unknown.keys()
        }
        absent = {attempt for attempt in without if not seen.isdisjoint(beside[attempt])}
        return absent, without - absent

    async def _small(self, results: Sequence[_Result]) -> dict[str, bytes]:
        """The content of small ones, many at once; of none where one changes meanwhile."""
        parts = [Part(one.there, 0, one.stat.size) for one in results if one.stat.size <= _SMALL]
        early: dict[str, bytes] = {}
        for at in range(0, len(parts), _AT_ONCE):
            some = parts[at : at + _AT_ONCE]
            with suppress(Failed):
                read = await self._remote.read(some)
                early |= {part.path: content for part, content in zip(some, read, strict=True)}
        return early

    async def _one(self, one: _Result, sha256: str, content: bytes | None) -> str:
        """Why it isn't here; "": it is. `content`: as it was read already."""
        folder, slash, _ = one.path.rpartition("/")
        part = f"{folder}{slash}.{sha256}.part"
        try:
            if await asyncio.to_thread(_prepare, one, sha256):
                return ""
            if content is not None:
                await asyncio.to_thread(_put, one, part, content)
            for _ in range(_TRIES):
                await self._fetch(one, part)
                if await asyncio.to_thread(_settle, one, part, sha256):
                    return ""
        except Failed:
            return "it changes while it is read"
        except OSError as error:
            if error.errno in _FULL:
                await asyncio.to_thread(_leave, one, part)
            return error.strerror or str(error)
        except ValueError as error:
            return str(error)
        return "it changes while it is read"

    async def _fetch(self, one: _Result, part: str) -> None:
        """Where an earlier try ended, this one goes on."""
        size = one.stat.size
        have = await asyncio.to_thread(_have, one, part)
        while have < size:
            wanted = Part(one.there, have, min(PIECE, size - have))
            (content,) = await self._remote.read([wanted])
            await asyncio.to_thread(_append, one, part, content)
            have += len(content)


def within(most: int, sizes: Mapping[AttemptId, int]) -> set[AttemptId]:
    """The smallest, of no more bytes together."""
    found: set[AttemptId] = set()
    for attempt in sorted(sizes, key=lambda one: sizes[one]):
        most -= sizes[attempt]
        if most < 0:
            break
        found.add(attempt)
    return found


def _links(pair: Pair, found: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Make them here. Returns why some could not be made, and what leads out. Blocking."""
    bad: dict[str, str] = {}
    out: dict[str, str] = {}
    for path, target in sorted(found.items()):
        kept = links.inside(path, target, pair.there)
        if kept is None:
            out[path] = target
        elif why := links.make(pair.here, path, kept, pair.within):
            bad[path] = why
    return bad, out


def _prepare(one: _Result, sha256: str) -> bool:
    """Is it here already? No link leads it elsewhere. Raises ValueError, OSError."""
    if why := links.astray(one.pair.here, one.here):
        raise ValueError(why)
    if not one.pair.within:
        one.pair.here.mkdir(parents=True, exist_ok=True)  # should it have gone
    with one.folder() as folder:
        folder.make(one.path.rpartition("/")[0])
        with suppress(FileNotFoundError):
            found = folder.lstat(one.path)
            same = S_ISREG(found.st_mode) and found.st_size == one.stat.size
            if same and _sum(folder, one.path) == sha256:
                folder.utime(one.path, one.stat.modified)
                return True
    return False


def _put(one: _Result, part: str, content: bytes) -> None:
    with one.folder() as folder:
        folder.put(part, content)


def _have(one: _Result, part: str) -> int:
    """Bytes of it, in a file that can be written."""
    with one.folder() as folder:
        with suppress(FileNotFoundError):
            found = folder.lstat(part)
            if S_ISREG(found.st_mode) and found.st_size <= one.stat.size:
                return found.st_size
            folder.unlink(part)
        os.close(folder.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    return 0


def _append(one: _Result, part: str, content: bytes) -> None:
    with one.folder() as folder, os.fdopen(folder.open(part, _APPEND), "ab") as file:
        file.write(content)


def _settle(one: _Result, part: str, sha256: str) -> bool:
    with one.folder() as folder:
        if _sum(folder, part) != sha256:
            folder.unlink(part)
            return False
        folder.utime(part, one.stat.modified)
        folder.replace(part, one.path)
    return True


def _leave(one: _Result, part: str) -> None:
    """Nothing of what finds no room."""
    with suppress(OSError), one.folder() as folder:
        folder.unlink(part)


def _sum(folder: Folder, path: str) -> str:
    with LocalFile(path, folder.open(path)) as file:
        return checksum(file)
