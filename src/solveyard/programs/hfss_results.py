"""What a solve leaves: gathered for people, and its result folder trimmed or packed."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

RESULTS = "results"
_SHOWN = re.compile(r"\.(s\d+p|profile|prof|conv|csv|tab)\Z", re.IGNORECASE)
_SOLUTIONS = re.compile(r"\.asol\Z", re.IGNORECASE)


def gather(project: Path) -> None:
    """What people look at, into RESULTS: the log, Touchstone, profiles, convergence, tables."""
    Path(RESULTS).mkdir(exist_ok=True)
    logs = project.with_name(project.name + ".batchinfo").glob("*.log")
    for place in (*logs, *_shown(project.with_suffix(".aedtresults")), *_shown(Path())):
        shutil.copyfile(place, Path(RESULTS) / place.name)


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


def _shown(folder: Path) -> Iterator[Path]:
    """Of a folder, or of one of results with all below it."""
    places = folder.rglob("*") if folder.name else folder.iterdir()
    return (place for place in places if _SHOWN.search(place.name) and place.is_file())
