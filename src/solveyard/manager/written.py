"""Which files a run wrote: by their times, and by what lay there when others were judged."""

import re
import threading
import time
from collections.abc import Callable, Sequence
from operator import attrgetter

from solveyard.backends.here import LocalWorkspace
from solveyard.backends.workspace import FileEntry, Workspace
from solveyard.model.ids import AttemptId
from solveyard.solvers.base import Query

MOST = 10_000  #: files of one run that are looked at for one query
SLACK = 2.0  #: s by which a file system's times may be coarser than a clock
_FOLDERS = 1024  #: of which it is remembered what lay there

Files = frozenset[FileEntry]
#: What others left before of what a folder holds now.
Old = Callable[[str, Sequence[FileEntry]], Files]
_NOTHING: Files = frozenset()


def nothing_old(folder: str, listed: Sequence[FileEntry]) -> Files:
    """Times alone are to tell."""
    return _NOTHING


class Earlier:
    """What lay in folders when attempts before were judged: nothing of it is a later one's work.

    Times alone don't tell that of attempts that follow one another within SLACK. May be asked from
    any thread; an attempt begins in a folder once the one before was judged.
    """

    def __init__(self) -> None:
        #: Folder -> which attempt was judged there last, what was there before it, and after it.
        self._seen: dict[str, tuple[AttemptId | None, Files, Files]] = {}
        self._lock = threading.Lock()

    def old(self, attempt: AttemptId, folder: str, listed: Sequence[FileEntry]) -> Files:
        """What was there before an attempt that has ended, and left what is `listed`.

        However often its end is told, the first time stands: by then another may have begun.
        """
        recent = time.time() - 2 * SLACK  # what is older, no later attempt's SLACK reaches
        with self._lock:
            last, before, after = self._seen.pop(folder, (None, _NOTHING, _NOTHING))
            if last != attempt:
                before = after
                after = frozenset(one for one in listed if one.modified >= recent)
            self._seen[folder] = (attempt, before, after)
            if len(self._seen) > _FOLDERS:
                del self._seen[next(iter(self._seen))]
        return before


def _where(workspace: Workspace, folder: str) -> str:
    """The path of a folder of this machine, its own links resolved."""
    if not isinstance(workspace, LocalWorkspace):
        return ""
    return f"{workspace.real}/{folder}"


def written(
    workspace: Workspace,
    folder: str,
    queries: Sequence[Query],
    since: float,
    old: Old,
) -> dict[Query, list[FileEntry]]:
    """Of the files below `folder` those that may answer each query there, by path; none is `old`.

    One walk for all of them, and however many files are older or of other names: these aren't
    kept. Of more than `MOST` that may answer, only the newest are.
    """
    found: dict[Query, list[FileEntry]] = {
        query: [] for query in queries if query.below and query.path == folder
    }
    names = {query: re.compile(query.below) for query in found}
    for one in workspace.walk(folder):
        if one.modified < since - SLACK:
            continue
        name = one.path.rpartition("/")[2]
        for query, fitting in found.items():
            if names[query].search(name):
                fitting.append(one)
                if len(fitting) == 2 * MOST:
                    _keep_newest(fitting)
    for fitting in found.values():
        _keep_newest(fitting)
        fitting.sort()
    if not (where := _where(workspace, folder)):
        return found
    others = old(where, [one for fitting in found.values() for one in fitting])
    return {query: [one for one in some if one not in others] for query, some in found.items()}


def _keep_newest(files: list[FileEntry]) -> None:
    """So that what was written just before a start doesn't hide what came after it."""
    if len(files) > MOST:
        files.sort(key=attrgetter("modified"), reverse=True)
        del files[MOST:]
