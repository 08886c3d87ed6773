"""Results on their way from a cluster: what a job made or changed there, whole or not at all."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from solveyard.backends.batch import links
from solveyard.backends.batch.mirror import Mirror, Pair
from solveyard.backends.batch.outgoing import checksum
from solveyard.backends.hosts.remote import PIECE, Part, Remote, Stat, Walked, shown
from solveyard.backends.hosts.ssh import Failed
from solveyard.model.jobs import AttemptId
from solveyard.model.texts import is_plain

_SMALL = 64 << 10  #: bytes of a file that comes with others
_AT_ONCE = 50
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
    root: Path
    path: str
    there: str
    stat: Stat

    @property
    def here(self) -> Path:
        return self.root / self.path


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
            _Result(one.whose.attempt, one.pair.here, path, f"{one.pair.there}/{path}", stat)
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
        for one in new:
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
        return left

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
        here, stat = one.here, one.stat
        part = here.with_name(f".{here.name[:200]}.{sha256[:12]}.part")
        try:
            if await asyncio.to_thread(_prepare, one.root, here, stat, sha256):
                return ""
            if content is not None:
                await asyncio.to_thread(part.unlink, missing_ok=True)
                await asyncio.to_thread(part.write_bytes, content)
            for _ in range(_TRIES):
                await self._fetch(Pair(one.there, part), stat.size)
                if await asyncio.to_thread(_settle, part, here, stat, sha256):
                    return ""
        except Failed:
            return "it changes while it is read"
        except (OSError, ValueError) as error:
            return getattr(error, "strerror", None) or str(error)
        return "it changes while it is read"

    async def _fetch(self, pair: Pair, size: int) -> None:
        """Where an earlier try ended, this one goes on."""
        have = await asyncio.to_thread(_have, pair.here, size)
        while have < size:
            part = Part(pair.there, have, min(PIECE, size - have))
            (content,) = await self._remote.read([part])
            await asyncio.to_thread(_append, pair.here, content)
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
        elif why := links.make(pair.here, path, kept):
            bad[path] = why
    return bad, out


def _prepare(root: Path, here: Path, stat: Stat, sha256: str) -> bool:
    """Is it here already? No link leads it elsewhere. Raises ValueError, OSError."""
    if why := links.astray(root, here):
        raise ValueError(why)
    here.parent.mkdir(parents=True, exist_ok=True)
    same = here.is_file() and not here.is_symlink() and here.stat().st_size == stat.size
    if same and checksum(here) == sha256:
        os.utime(here, (stat.modified, stat.modified))
        return True
    return False


def _have(place: Path, size: int) -> int:
    if place.is_symlink():
        place.unlink()
    try:
        found = place.stat().st_size
    except FileNotFoundError:
        place.touch(0o600)
        return 0
    if found > size:
        place.write_bytes(b"")
        return 0
    return found


def _append(place: Path, content: bytes) -> None:
    with place.open("ab") as file:
        file.write(content)


def _settle(part: Path, here: Path, stat: Stat, sha256: str) -> bool:
    if checksum(part) != sha256:
        part.unlink()
        return False
    os.utime(part, (stat.modified, stat.modified))
    part.replace(here)
    return True
