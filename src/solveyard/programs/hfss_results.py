"""What a solve leaves: gathered for people, and its result folder trimmed or packed."""

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

RESULTS = "results"
_SHOWN = re.compile(r"\.(s\d+p|profile|prof|conv|csv|tab)\Z", re.IGNORECASE)
_SOLUTIONS = re.compile(r"\.asol\Z", re.IGNORECASE)
#: By which a file that was written differs from one that is as it was.
Stat = tuple[int, int, int, int]


def seen(project: Path) -> dict[Path, Stat]:
    """What people look at, as it is before a solve."""
    return {place: _stat(place) for place in _looked_at(project)}


def gather(project: Path, before: Mapping[Path, Stat]) -> None:
    """What people look at, into RESULTS, as far as this solve wrote it: the log, Touchstone,
    profiles, convergence, tables.

    Files of one name keep their folders there; others lie side by side.
    """
    written = [place for place in _looked_at(project) if before.get(place) != _stat(place)]
    names = Counter(os.path.normcase(place.name) for place in written)
    Path(RESULTS).mkdir(exist_ok=True)
    for place in written:
        alone = names[os.path.normcase(place.name)] == 1
        target = Path(RESULTS) / (place.name if alone else place)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(place, target)


def tidy(project: Path, keep: str) -> None:
    """Keep of the result folder what was asked for: "all", "archive" (all, packed), "trimmed"."""
    folder = project.with_suffix(".aedtresults")
    if keep == "all" or not folder.is_dir():
        return
    if keep == "archive":
        shutil.make_archive(str(folder), "zip", root_dir=folder.parent, base_dir=folder.name)
    for place in sorted(folder.rglob("*"), reverse=True):
        if place.is_dir() and not place.is_symlink():
            if not any(place.iterdir()):
                place.rmdir()
        elif not _SHOWN.search(place.name) and not _SOLUTIONS.search(place.name):
            place.unlink()


def _looked_at(project: Path) -> list[Path]:
    """The solve's own files among those that are shown; paths in the current folder."""
    logs = project.with_name(project.name + ".batchinfo").glob("*.log")
    return [*logs, *_shown(project.with_suffix(".aedtresults")), *_shown(Path())]


def _stat(place: Path) -> Stat:
    found = place.stat()
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns)


def _shown(folder: Path) -> Iterator[Path]:
    """Of a folder, or of one of results with all below it."""
    places = folder.rglob("*") if folder.name else folder.iterdir()
    return (place for place in places if _SHOWN.search(place.name) and place.is_file())
