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
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from solveyard.programs import hfss_run
from solveyard.programs.folders import Unusable, copy_file, copy_folder, keep_inside
from solveyard.programs.hfss_results import RESULTS, gather, seen, tidy
from solveyard.programs.hfss_run import NO_ROOM, NO_START, Room, Stop, gib, say
from solveyard.wire.beneath import Astray, Folder

NO_COPY = 120  #: exit code
FOLDER = "/{folder}"


def main(argv: Sequence[str]) -> int:
    plan: dict[str, Any] = json.loads(Path(argv[0]).read_text(encoding="utf-8"))
    source, copy = Path(plan["source"]), Path(plan["project"])
    try:
        room = Room(_size(source) + int(plan["min_disk"]))
        if room.short:
            say(f"no room for a copy of {source}: {gib(room.least)} are needed, {room} free")
            return NO_ROOM
        _remove(Path(RESULTS))  # of a try before
        within = json.loads(os.environ.get("SOLVEYARD_WITHIN", "[]"))
        with _bound(source, within) as bound:
            bring(bound, copy, follow=not within)
    except (Unusable, OSError, zipfile.BadZipFile, tarfile.TarError) as error:
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
def _bound(source: Path, within: Sequence[str]) -> Iterator[Path]:
    """Where it is. A job that came over the network may use what is `within` some folders alone:
    by a way that nobody can exchange meanwhile. Raises Unusable, OSError.
    """
    if not within:
        yield source
        return
    try:
        folder = Folder(str(source.parent), within)
    except Astray as error:
        raise Unusable(error.strerror) from error
    with folder:
        place = Path(f"/proc/self/fd/{folder.file}")
        yield (place if place.is_dir() else source.parent.resolve()) / source.name


def bring(source: Path, copy: Path, *, follow: bool = True) -> None:
    """Copy a project, or unpack an archive of one, under the name of `copy`. Raises Unusable.

    `follow`: where a link has its name, what that points at is meant; else that is refused.

    What a try before has brought, or made of it, is replaced, wherever that one was ended; its
    solutions stay, so that this one goes on from them.
    """
    project, layout = copy.with_suffix(".aedt"), copy.with_suffix(".aedb")  # of a 3D Layout design
    for old in (copy, project, layout):  # a layout alone is opened as a project, which is saved
        _remove(old)
    if not follow and source.is_symlink():
        raise Unusable("it is a link (put there what it points at)")
    if source.suffix.lower() == ".aedtz":
        _unpack(source, copy)
    else:
        if source.with_name(source.name + ".lock").exists():
            say(f"note: {source} is open elsewhere; its copy is as it was last saved")
        if source.is_dir():
            copy_folder(source.resolve() if follow else source, copy)
        else:
            copy_file(os.path.realpath(source) if follow else str(source), copy)
            if (beside := source.with_suffix(".aedb")).is_dir():
                copy_folder(beside, layout)
    for left in (f"{copy.name}.lock", f"{project.name}.lock", f"{project.name}.auto"):
        _remove(copy.with_name(left))


def _unpack(archive: Path, copy: Path) -> None:
    inside = Path(f"{copy.name}.unpacked")
    _remove(inside)
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(inside)
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as packed:
            packed.extractall(inside, filter="data")
    else:
        raise Unusable("it is neither a zip nor a tar (restore it in AEDT, and give the .aedt)")
    projects = [*inside.rglob("*.aedt")]
    if len(projects) != 1:
        raise Unusable(f"it holds {len(projects)} projects, where one is expected")
    keep_inside(projects[0].parent)
    packed_at = archive.stat().st_mtime_ns
    for place in projects[0].parent.rglob("*"):
        if place.is_file() and not place.is_symlink():  # as new, it would be taken for a result
            os.utime(place, ns=(packed_at, packed_at))
    for place in projects[0].parent.iterdir():
        if os.path.normcase(place.name) == RESULTS:  # this solve's own is named so
            say(f"note: the folder {place.name} in {archive} is left out")
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


def _size(source: Path) -> int:
    """Bytes of what is brought: the project and its layout, or all that is in an archive."""
    if source.suffix.lower() == ".aedtz":
        return _unpacked(source)
    if source.is_dir():
        return _held(source)
    return source.stat().st_size + _held(source.with_suffix(".aedb"))


def _held(folder: Path) -> int:
    return sum(place.lstat().st_size for place in folder.rglob("*"))


def _unpacked(archive: Path) -> int:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            return sum(member.file_size for member in packed.infolist())
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as packed:
            return sum(member.size for member in packed)
    return archive.stat().st_size


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
