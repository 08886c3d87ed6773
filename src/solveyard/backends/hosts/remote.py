"""Files on a machine over SSH: looked at, read and written, with nothing but coreutils there.

Each method is one command there or a few, bounded in time. Paths are absolute; one with a line end
is never asked for. Raises Away where the way breaks, Failed in the machine's words.
"""

import asyncio
import re
import secrets
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from solveyard.backends.hosts.base import Away
from solveyard.backends.hosts.ssh import Failed, SshHost

PIECE = 4 << 20  #: bytes that are sent or read by one command
_AT_ONCE = 300  #: paths in one command
_SLOW = 120.0  #: s for one piece: 35 kB/s will do
_HASHING = 1800.0  #: s for the checksums of one command
_COPYING = 1800.0  #: s for its copies
_ABSENT = ("No such file or directory", "Not a directory")  #: end what stat says of such a path
_OLD = 30  #: days after which content that no job used is removed there

#: Prints the folder, absolute.
_GREET = r"""cd || exit; umask 077; mkdir -p -- "$1" && cd -- "$1" && mkdir -p jobs content || exit
for one in cat chmod cp head mkdir mv rm sha256sum stat tail touch; do
  command -v "$one" >/dev/null || { echo "there is no $one there" >&2; exit 1; }
done
find content -type f -mtime "+$2" -exec rm -f -- {} + 2>/dev/null
pwd -P"""
_PATHS = r"""set --; while IFS= read -r path; do set -- "$@" "$path"; done; [ $# -gt 0 ] || exit 0
"""
#: What is there, then the words of what failed.
_STAT = (
    _PATHS
    + r"""exec 3>&1; words=$(stat -c '%s %Y %i %n' -- "$@" 2>&1 >&3) ||
  words=${words:-exit status $?}
printf '%s\n' "$words" """
)
#: The same for each path by itself: its number among them follows the words of what failed, in
#: which a name may be spelt as no other program does.
_STAT_EACH = r"""n=0; while IFS= read -r path; do
  words=$(stat -c '%s %Y %i %n' -- "$path" 2>&1) || words="${words:-exit status $?}
?$n"
  printf '%s\n' "$words"; n=$((n + 1))
done"""
_SUMS = _PATHS + 'sha256sum -- "$@" 2>/dev/null; true'
_READ = r"""while IFS=' ' read -r offset count path; do
  tail -c "+$((offset + 1))" -- "${path%|}" | head -c "$count" || exit
done"""
#: Of each folder what was found, then its exit status and the words of what failed. A link takes
#: two lines, the second with what it says.
_WALK = r"""exec 3>&1; while IFS= read -r folder; do
  printf '%s\n' "$1"
  words=$( (cd -- "$folder" && find . -type f -exec stat -c '%s %Y %i %n' -- {} + -o -type l -exec \
    sh -c 'for one do printf "l %s\n> %s\n" "$one" "$(readlink -- "$one")"; done' sh {} +) 2>&1 >&3)
  printf '%s\n%s %.300s\n' "$1" "$?" "$words"
done"""
#: Reads steps and their content; see `Step`. Nothing is there under its name before it is whole.
#: What is shared may come from another store at the same time.
_PUT = r"""umask 077; mkdir -p -- "$1/jobs" "$1/content" || exit
check() { [ "$(sha256sum <"$1")" = "$2  -" ] || { echo "$1: its checksum is wrong" >&2; exit 1; }; }
while IFS=' ' read -r what sum size mode path; do
  path=${path%|}; part=$path.part
  case $path in "$1/content/"*) part=$path.$2.part ;; esac
  name=${path##*/}; [ "${#name}" -le 60 ] || part=${path%/*}/.$sum.part
  case $what in
  folder) mkdir -p -- "$path" || exit ;;
  file) head -c "$size" >"$part" && check "$part" "$sum" ;;
  copy) cp -- "$1/content/$sum" "$part" && touch -c -- "$1/content/$sum" ;;
  esac || exit
  [ "$what" = folder ] || { chmod "$mode" "$part" && mv -f -- "$part" "$path"; } || exit
done"""
_APPEND = r"""umask 077; mkdir -p -- "${1%/*}" || exit
[ -e "$1" ] || : >"$1"
[ "$(stat -c %s -- "$1")" = "$2" ] || { echo "$1 changed meanwhile" >&2; exit 1; }
head -c "$3" >>"$1" """
_KEEP = r"""if [ "$(sha256sum <"$1")" = "$2  -" ]; then mv -f -- "$1" "$3"; else
rm -f -- "$1"; echo "$1: its checksum is wrong" >&2; exit 1; fi"""
_ROOM = 'df -Pk -- "$1" || true'
_DF = 6  #: words of a line of df: device, size, used, free, share, place
_NAMES = 'ls -A -- "$1"'
_TOUCH = _PATHS + 'umask 077; touch -- "$@"'
_REMOVE = """code=0; while IFS= read -r path; do
  [ -n "$1" ] && [ -e "$path$1" ] || rm -rf -- "$path" "$path".* || code=1
done; exit "$code" """
_REMOVE_ONE = """while IFS= read -r path; do [ -e "$path$2" ] || rm -f -- "$path$1"; done"""
_INSIDE = r"""root=$(realpath -- "$1") && path=$(realpath -- "$1/$2") || exit 0
case $path in "${root%/}"/*) [ -f "$path" ] && stat -c '%s %Y %i %n' -- "$path" ;; esac; true"""


class Stat(NamedTuple):
    size: int  #: bytes
    modified: int  #: s since 1970, by the clock there
    inode: int  #: another one: the file was replaced


class Looked(NamedTuple):
    """By their paths."""

    found: dict[str, Stat]
    unknown: dict[str, str]  #: why it can't be said whether it is there


class Walked(NamedTuple):
    """What was found in a folder."""

    files: dict[str, Stat]  #: regular ones, by their paths in it
    links: dict[str, str]  #: symbolic ones, by their paths in it, with what they say
    trouble: str  #: why that is not all, in the machine's words; "": it is


class Part(NamedTuple):
    """Of a file that has grown so far at least."""

    path: str
    offset: int
    length: int  #: bytes


class Step(NamedTuple):
    """One of those that `put` does in order."""

    what: str  #: "folder"; "file" of `content`; "copy" of what is kept under `sum`
    path: str
    sum: str = "-"  #: SHA-256
    mode: int = 0o600
    content: bytes = b""


class Remote:
    """In a folder of ours there: jobs' files in jobs/, what they share by checksum in content/."""

    def __init__(self, host: SshHost, folder: str, store: str) -> None:
        """`folder`: absolute, or below the home folder with "~/" before it. `store`: whose it is;
        several may use one folder.
        """
        self.host = host
        self._store = store
        self.root = folder.rstrip("/")  #: absolute once `ready`
        self._greeted = False
        self._greeting = asyncio.Lock()

    async def ready(self) -> None:
        """Until the folder is there, and known."""
        async with self._greeting:
            if not self._greeted:
                folder = self.root.removeprefix("~/")
                told = await self.host.ask(_GREET, folder, str(_OLD))
                self.root = told.decode("utf-8", "surrogateescape").rstrip("\n")
                self._greeted = True

    async def stat(self, paths: Sequence[str]) -> dict[str, Stat]:
        """Of those that are there."""
        return (await self.look(paths)).found

    async def look(self, paths: Sequence[str]) -> Looked:
        """What is there of these, and of which nobody knows."""
        looked = Looked({}, {})
        for some in _slices(paths):
            lines = _text(await self.host.ask(_STAT, stdin=_lines(some))).split("\n")
            looked.found.update(_stats(lines))
            left = [one for one in some if one not in looked.found]
            if left and _troubled(lines):  # seldom, so that all of them may be asked of
                lines = _text(await self.host.ask(_STAT_EACH, stdin=_lines(left))).split("\n")
                looked.found.update(_stats(lines))
                looked.unknown.update(_unknown(lines, left))
        return looked

    async def names(self, folder: str) -> list[str]:
        """What is in it."""
        return _text(await self.host.ask(_NAMES, folder, timeout=_SLOW)).split("\n")

    async def checksums(self, paths: Sequence[str]) -> dict[str, str]:
        """SHA-256 of those that can be read."""
        found: dict[str, str] = {}
        for some in _slices(paths):
            told = await self.host.ask(_SUMS, stdin=_lines(some), timeout=_HASHING)
            for line in _text(told).split("\n"):
                match = re.fullmatch(r"(\\?)([0-9a-f]{64})  (/.*)", line)
                if match is not None:
                    path = _unescaped(match[3]) if match[1] else match[3]
                    found[path] = match[2]
        return found

    async def room(self) -> int | None:
        """Bytes that are free in our folder; None: nobody says."""
        told = _text(await self.host.ask(_ROOM, self.root)).split("\n")
        words = told[-2].split() if len(told) > 1 else []
        known = len(words) >= _DF and words[-3].isdigit()
        return int(words[-3]) << 10 if known else None

    async def read(self, parts: Sequence[Part]) -> list[bytes]:
        """All of them whole. Failed: one has shrunk meanwhile."""
        lines = [f"{part.offset} {part.length} {part.path}|" for part in parts]
        told = await self.host.ask(_READ, stdin=_lines(lines), timeout=_SLOW)
        if len(told) != sum(part.length for part in parts):
            raise Failed(f"{self.host.where}: a file changed while it was read")
        found, at = [], 0
        for part in parts:
            found.append(told[at : at + part.length])
            at += part.length
        return found

    async def walk(self, folders: Sequence[str]) -> list[Walked]:
        """All below each, as far as it can be listed."""
        between = secrets.token_hex(16)
        told = await self.host.ask(_WALK, between, stdin=_lines(folders), timeout=_SLOW)
        _, *listed = _text(told).split(f"{between}\n")
        if len(listed) != 2 * len(folders):
            raise Away(f"{self.host.where}: an answer that can't be read")
        return [_walked(*pair) for pair in zip(listed[::2], listed[1::2], strict=True)]

    async def inside(self, folder: str, path: str) -> tuple[str, Stat] | None:
        """Where a file in a folder is, all links resolved; None: not there, or not in it."""
        told = await self.host.ask(_INSIDE, folder, path, timeout=_GRACE)
        return next(iter(_stats(_text(told).split("\n"))), None)

    async def put(self, steps: Sequence[Step]) -> None:
        stream = bytearray()
        for step in steps:
            size = len(step.content)
            stream += f"{step.what} {step.sum} {size} {step.mode:o} ".encode()
            stream += _bytes(f"{step.path}|\n") + step.content
        patience = _COPYING if any(step.what == "copy" for step in steps) else _SLOW
        await self.host.ask(_PUT, self.root, self._store, stdin=bytes(stream), timeout=patience)

    async def append(self, path: str, offset: int, content: bytes) -> None:
        """To a file that is `offset` long; 0: or that isn't there."""
        await self.host.ask(
            _APPEND, path, str(offset), str(len(content)), stdin=content, timeout=_SLOW
        )

    async def keep(self, part: str, sha256: str) -> None:
        """Under its checksum. Failed: it has another one, and is removed."""
        await self.host.ask(_KEEP, part, sha256, self.content(sha256), timeout=_HASHING)

    async def touch(self, paths: Sequence[str]) -> None:
        """Have a file of each name there."""
        for some in _slices(paths):
            await self.host.ask(_TOUCH, stdin=_lines(some))

    async def remove(self, paths: Sequence[str], unless: str = "") -> None:
        """Each, and what has its name with an ending, but where there is one with `unless`."""
        for some in _slices(paths):
            await self.host.ask(_REMOVE, unless, stdin=_lines(some), timeout=_SLOW)

    async def remove_ending(self, paths: Sequence[str], ending: str, unless: str) -> None:
        """What has the name of each with `ending`, but where there is one that ends in `unless`."""
        for some in _slices(paths):
            await self.host.ask(_REMOVE_ONE, ending, unless, stdin=_lines(some), timeout=_SLOW)

    def content(self, sha256: str) -> str:
        """Where what several jobs use is kept."""
        return f"{self.root}/content/{sha256}"


_GRACE = 20.0  #: s for what somebody waits for


def _slices(paths: Sequence[str]) -> Iterable[Sequence[str]]:
    return (paths[at : at + _AT_ONCE] for at in range(0, len(paths), _AT_ONCE))


def _unescaped(path: str) -> str:
    """As GNU's programs for checksums spell a name with a backslash, which they say before it."""
    return re.sub(r"\\(.)", lambda one: {"n": "\n", "r": "\r"}.get(one[1], one[1]), path)


def _stats(lines: Iterable[str], begin: str = "/") -> Iterable[tuple[str, Stat]]:
    for line in lines:
        match = re.fullmatch(r"([0-9]+) (-?[0-9]+) ([0-9]+) (.*)", line)
        if match is not None and match[4].startswith(begin):
            yield match[4], Stat(int(match[1]), int(match[2]), int(match[3]))


def _troubled(lines: Iterable[str]) -> bool:
    """Did stat say something else of one than that it isn't there?"""
    return any(line and not line[0].isdecimal() and not line.endswith(_ABSENT) for line in lines)


def _unknown(lines: Iterable[str], paths: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Those of these paths, asked of one by one, that something else was said of."""
    for words, number in pairwise(lines):
        match = re.fullmatch(r"\?([0-9]+)", number)
        if match is not None and not words.endswith(_ABSENT):
            yield paths[int(match[1])], shown(words)


def _walked(found: str, ended: str) -> Walked:
    lines = [line for line in found.split("\n") if line]
    files = {path[2:]: stat for path, stat in _stats(lines, "./")}
    links = {
        path[4:]: target[2:]
        for path, target in pairwise(lines)
        if path.startswith("l ./") and target.startswith("> ")
    }
    code, _, words = ended.partition(" ")
    if code != "0":
        trouble = shown(" ".join(words.split())) or f"exit status {code}"
    else:
        whole = len(files) + 2 * len(links) == len(lines)
        trouble = "" if whole else "a name has a line end"
    return Walked(files, links, trouble)


def shown(text: str) -> str:
    """For people and for records, where names there may be no text."""
    return _bytes(text).decode("utf-8", "replace")


def _lines(texts: Sequence[str]) -> bytes:
    return b"".join(_bytes(f"{text}\n") for text in texts)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(told: bytes) -> str:
    return told.decode("utf-8", "surrogateescape")
