"""Results on their way from a cluster: what a job made or changed there, whole or not at all."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from solveyard.backends.batch.mirror import Mirror, Pair
from solveyard.backends.batch.outgoing import checksum
from solveyard.backends.hosts.remote import PIECE, Part, Remote, Stat
from solveyard.model.jobs import AttemptId

_TRIES = 2  #: of a file whose checksum is wrong


class Results(NamedTuple):
    """Of one attempt."""

    attempt: AttemptId
    streams: Sequence[Pair]
    folder: Pair | None  #: None: nodes see this machine's
    sent: dict[str, str]  #: checksums of its inputs, by path


class Incoming:
    def __init__(self, remote: Remote, mirror: Mirror) -> None:
        self._remote = remote
        self._mirror = mirror

    async def bring(self, several: Sequence[Results]) -> dict[AttemptId, list[str]]:
        """All that they left is here; returns what of it couldn't come. Raises Away, Failed."""
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
        folders = [(one, one.folder) for one in several if one.folder is not None]
        listed = await self._remote.walk([pair.there for _, pair in folders]) if folders else []
        for (one, pair), found in zip(folders, listed, strict=True):
            if found:
                troubles[one.attempt] += await self._results(pair, found, one.sent)
        return troubles

    async def _results(
        self, folder: Pair, found: dict[str, Stat], sent: dict[str, str]
    ) -> list[str]:
        paths = {path: f"{folder.there}/{path}" for path in found}
        sums = await self._remote.checksums(list(paths.values()))
        troubles = []
        for path, there in sorted(paths.items()):
            sha256 = sums.get(there)
            kept = sha256 is not None and sent.get(path) == sha256
            if kept and (folder.here / path).exists():
                continue
            trouble = "it can't be read there"
            if sha256 is not None and path.isprintable():
                trouble = await self._one(
                    folder.here, path, Pair(there, Path()), found[path], sha256
                )
            if trouble:
                where = f"{self._remote.host.where}:{there}"
                troubles.append(f"the result {path!r} could not come: {trouble} (it is {where})")
        return troubles

    async def _one(self, root: Path, path: str, pair: Pair, stat: Stat, sha256: str) -> str:
        """Why it isn't here; "": it is."""
        here = root / path
        part = here.with_name(f".{here.name[:200]}.{sha256[:12]}.part")
        try:
            if await asyncio.to_thread(_prepare, root, here, stat, sha256):
                return ""
            for _ in range(_TRIES):
                await self._fetch(Pair(pair.there, part), stat.size)
                if await asyncio.to_thread(_settle, part, here, stat, sha256):
                    return ""
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


def _prepare(root: Path, here: Path, stat: Stat, sha256: str) -> bool:
    """Is it here already? No link leads it out of its job's folder. Raises ValueError, OSError."""
    here.parent.mkdir(parents=True, exist_ok=True)
    real = here.parent.resolve()
    if real != root.resolve() and root.resolve() not in real.parents:
        raise ValueError("a link leads it out of the job's folder")
    same = here.is_file() and not here.is_symlink() and here.stat().st_size == stat.size
    if same and checksum(here) == sha256:
        os.utime(here, (stat.modified, stat.modified))
        return True
    return False


def _have(place: Path, size: int) -> int:
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
