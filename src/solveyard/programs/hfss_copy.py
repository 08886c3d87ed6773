"""Solve a copy of an HFSS project in the current folder: `python -m ... hfss_copy PLAN`.

The plan, a JSON file, has `source`, `project` (the copy's name), `argv` (FOLDER in it stands for
the current folder), `keep` ("all", "archive" or "trimmed"), `min_disk` (bytes), `scratch`,
`stop`, `deaf` and `end` (null, or s), as of `hfss_run`. What the solve writes to be looked at goes
into `results`. Its exit code is as of that, too, or NO_COPY.
"""

import json
import os
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from solveyard.programs import archives, hfss_run
from solveyard.programs.folders import (
    Unusable,
    copy_file,
    copy_folder,
    held,
    keep_inside,
    open_file,
)
from solveyard.programs.hfss_results import RESULTS, gather, seen, tidy
from solveyard.programs.hfss_run import NO_ROOM, NO_START, Room, Stop, gib, say
from solveyard.wire.beneath import Astray, Folder

NO_COPY = 120  #: exit code
FOLDER = "/{folder}"
_LINK = "is a link (put there what it points at)"


def main(argv: Sequence[str]) -> int:
    plan: dict[str, Any] = json.loads(Path(argv[0]).read_text(encoding="utf-8"))
    source, copy = Path(plan["source"]), Path(plan["project"])
    within = json.loads(os.environ.get("SOLVEYARD_WITHIN", "[]"))
    try:
        with found(source, within) as original:
            room = Room(original.size() + int(plan["min_disk"]))
            if room.short:
                say(f"no room for a copy of {source}: {gib(room.least)} are needed, {room} free")
                return NO_ROOM
            _remove(Path(RESULTS))  # of a try before
            bring(original, copy)
    except (Unusable, OSError) as error:
        say(f"{source} can't be copied: {error}")
        return NO_COPY
    command = [word.replace(FOLDER, str(Path.cwd())) for word in plan["argv"]]
    before = seen(copy)
    # whoever ends a job ends its whole tree: this one stays to gather what the solve has left
    room = Room(int(plan["min_disk"]), plan["scratch"])
    stop = Stop(plan["stop"], deaf=plan.get("deaf", False))
    code = hfss_run.run(command, room, stop, plan.get("end"))
    if code == NO_START:
        return code
    gather(copy, before)
    if code == 0:
        tidy(copy, plan["keep"])
    return code


@contextmanager
def found(source: Path, within: Sequence[str] = ()) -> Iterator["_Archive | _Project"]:
    """What is to be copied. Where a link has its name, what that points at is meant.

    A job that came over the network may use what is `within` some folders alone: by a way that
    nobody can exchange meanwhile, and by no link. Raises Unusable, OSError.
    """
    with ExitStack() as stack:
        place, at = str(source), None
        if within:
            try:
                folder = stack.enter_context(Folder(str(source.parent), within))
            except Astray as error:
                raise Unusable(error.strerror) from error
            at = folder.file
            place = source.name if at is not None else str(source.parent.resolve() / source.name)
            if stat.S_ISLNK(os.stat(place, dir_fd=at, follow_symlinks=False).st_mode):
                raise Unusable(f"it {_LINK}")
        if source.suffix.lower() == ".aedtz":
            file = open_file(place if within else os.path.realpath(place), at)
            yield _Archive(source, stack.enter_context(file))
        else:
            yield _Project(source, place, at, follow=not within)


def bring(original: "_Archive | _Project", copy: Path) -> None:
    """Copy it under the name of `copy`. Raises Unusable, OSError.

    What a try before has brought, or made of it, is replaced, wherever that one was ended; its
    solutions stay, so that this one goes on from them.
    """
    project, layout = copy.with_suffix(".aedt"), copy.with_suffix(".aedb")  # of a 3D Layout design
    for old in (copy, project, layout):  # a layout alone is opened as a project, which is saved
        _remove(old)
    original.bring(copy)
    for left in (f"{copy.name}.lock", f"{project.name}.lock", f"{project.name}.auto"):
        _remove(copy.with_name(left))


class _Project:
    """A project, and the layout of a 3D Layout design beside it; or such a layout alone."""

    def __init__(self, source: Path, place: str, at: int | None, *, follow: bool) -> None:
        """`source`: as it is told; `place`: in the open folder `at`, or a path."""
        self._source, self._at = source, at
        self._place = os.path.realpath(place) if follow else place
        self._layout, self._lock = str(Path(place).with_suffix(".aedb")), f"{place}.lock"

    def size(self) -> int:
        """Bytes of all that is brought."""
        project = self._look(self._place)
        if stat.S_ISDIR(project.st_mode):
            return held(self._place, self._at)
        return project.st_size + (held(self._layout, self._at) if self._has_layout() else 0)

    def bring(self, copy: Path) -> None:
        with suppress(FileNotFoundError):
            self._look(self._lock)
            say(f"note: {self._source} is open elsewhere; its copy is as it was last saved")
        if stat.S_ISDIR(self._look(self._place).st_mode):
            copy_folder(self._source, copy, self._place, self._at)
            return
        copy_file(self._place, copy, self._at)
        if self._has_layout():
            beside = self._source.with_suffix(".aedb")
            copy_folder(beside, copy.with_suffix(".aedb"), self._layout, self._at)

    def _has_layout(self) -> bool:
        try:
            layout = self._look(self._layout)
        except FileNotFoundError:
            return False
        if stat.S_ISLNK(layout.st_mode):
            raise Unusable(f"{str(self._source.with_suffix('.aedb'))!r} {_LINK}")
        return stat.S_ISDIR(layout.st_mode)

    def _look(self, place: str) -> os.stat_result:
        return os.stat(place, dir_fd=self._at, follow_symlinks=False)


class _Archive:
    """One that holds a project; what is read is what was opened, whatever has its name by now."""

    def __init__(self, source: Path, file: BinaryIO) -> None:
        self._source, self._file = source, file

    def size(self) -> int:
        """Bytes of all that is in it."""
        return archives.size(self._file)

    def bring(self, copy: Path) -> None:
        inside = Path(f"{copy.name}.unpacked")
        _remove(inside)
        archives.unpack(self._file, inside)
        named = inside.rglob("*.aedt")
        projects = [place for place in named if place.is_file() and not place.is_symlink()]
        if len(projects) != 1:
            raise Unusable(f"it holds {len(projects)} projects, where one is expected")
        keep_inside(projects[0].parent)
        packed_at = os.fstat(self._file.fileno()).st_mtime_ns
        for place in projects[0].parent.rglob("*"):
            if place.is_file() and not place.is_symlink():  # as new, it would be taken for a result
                os.utime(place, ns=(packed_at, packed_at))
        for place in projects[0].parent.iterdir():
            if os.path.normcase(place.name) == RESULTS:  # this solve's own is named so
                say(f"note: the folder {place.name} in {self._source} is left out")
                continue
            target = copy if place == projects[0] else copy.with_name(place.name)
            if target.suffix == ".aedtresults" and target.exists():
                continue
            _remove(target)
            place.replace(target)
        _remove(inside)


def _remove(place: Path) -> None:
    """A file or a folder, if it is there."""
    if place.is_dir() and not place.is_symlink():
        _allow_writing(place)
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _allow_writing(folder: Path) -> None:
    for place in (folder, *folder.rglob("*")):
        if not place.is_symlink():
            more = stat.S_IRWXU if place.is_dir() else stat.S_IRUSR | stat.S_IWUSR
            place.chmod(stat.S_IMODE(place.stat().st_mode) | more)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
