"""Which of the store's own job folders are users', since they named them or something in them.

Where a folder really is counts, by whatever links it was named. Of one that we may not look at,
where no job of ours can be either, counts what can be seen of its way; where the disk doesn't tell,
OSError is raised. All of it blocks.
"""

import errno
import os
import stat
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

from solveyard.model.arrays import ArraySpec, filled_text
from solveyard.model.jobs import JobSpec

#: Tasks of an array whose folders are looked at one by one. Of more, some that may be are taken
#: for theirs.
MANY = 100_000
#: Nobody runs in such a folder: it isn't there, or what leads to it is a loop, or too long.
NOWHERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
HIDDEN = frozenset({errno.EACCES, errno.EPERM})  #: we may not look
BELIEVED = 30.0  #: s for which a folder is taken to be where it was, unless it is doubted


class Named(NamedTuple):
    """The folders that users named for their jobs."""

    folders: Collection[str] = ()
    arrays: Collection[JobSpec] = ()  #: each task has its own: there are places in `directory`

    @classmethod
    def by(cls, specs: Iterable[JobSpec], others: Iterable[str] = ()) -> Self:
        """Those of `specs`, and `others`."""
        folders, arrays = {*others}, dict[int, JobSpec]()
        for spec in specs:
            if spec.array is not None and "{{" in spec.directory:
                arrays[id(spec)] = spec  # which its tasks share
            else:
                folders.add(spec.directory)
        return cls(folders - {""}, list(arrays.values()))


NOTHING = Named()


class Claims:
    """On the folders in one, `jobs`."""

    def __init__(self, jobs: Path) -> None:
        self._jobs = jobs
        self._until = 0.0
        self._forget()

    def on(self, name: str, named: Named) -> bool:
        """Is the folder `name`, or what is in it, one of `named`?

        Raises OSError: it can't be told, since one of them can't be looked at.
        """
        if time.monotonic() > self._until:
            self._forget()
        return any(self._entry(one) == name for one in named.folders) or any(
            self._tasks_hold(name, one) for one in named.arrays
        )

    def doubt(self, named: Named) -> None:
        """Where they are is looked up anew when it is asked next."""
        for folder in named.folders:
            self._entries.pop(folder, None)
        for spec in named.arrays:
            self._tasks.pop(id(spec), None)

    def _forget(self) -> None:
        self._real = f"{os.path.realpath(self._jobs)}{os.sep}"
        self._until = time.monotonic() + BELIEVED
        self._entries: dict[str, str] = {}
        #: With its specification, which keeps the number from being another's
        self._tasks: dict[int, tuple[JobSpec, frozenset[str]]] = {}

    def _entry(self, folder: str) -> str:
        found = self._entries.get(folder)
        if found is None:
            found = self._entries[folder] = self._below(_really(folder))
        return found

    def _below(self, real: str) -> str:
        """The entry of `jobs` that this is, or is in; "": none."""
        return real[len(self._real) :].split(os.sep, 1)[0] if real.startswith(self._real) else ""

    def _tasks_hold(self, name: str, spec: JobSpec) -> bool:
        assert spec.array is not None
        if len(spec.array) > MANY:
            return _may_be(f"{self._real}{name}{os.sep}", spec.directory, spec.array)
        known = self._tasks.get(id(spec))
        if known is None:
            entries = frozenset(map(self._below, _real_folders(spec.directory, spec.array)))
            known = self._tasks[id(spec)] = spec, entries
        return name in known[1]


def _real_folders(directory: str, array: ArraySpec) -> Iterator[str]:
    """Of each task. Most differ in their last part, so the others are looked at once."""
    known: dict[str, str] = {}
    for position in range(len(array)):
        folder = filled_text(directory, array, position)
        head, tail = os.path.split(folder)
        if tail in {"", ".", ".."}:
            yield _really(folder)
            continue
        if head not in known:
            known[head] = _really(head)
        path = os.path.join(known[head], tail)  # noqa: PTH118  # a Path takes ten times as long
        yield _really(path) if _is_link(path) else path


def _may_be(folder: str, directory: str, array: ArraySpec) -> bool:
    """Could a task's be `folder`, which ends with a separator, or in it?

    Only an index and nothing below it can be told from the names that are there.
    """
    before, _, after = directory.partition("{{")
    head, begin = os.path.split(before)
    if array.stop is None or not head or os.path.split(after)[0]:
        return True
    real = _really(head)
    path = str(Path(real) / begin) if begin else f"{real.rstrip(os.sep)}{os.sep}"
    if path.startswith(folder) or folder.startswith(path):
        return True
    try:
        with os.scandir(real) as entries:
            return any(one.name.startswith(begin) and one.is_symlink() for one in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        return os.access(real, os.X_OK)  # what is in it can be reached, but not listed


def _really(folder: str) -> str:
    """Raises OSError: the disk doesn't tell what is on the way."""
    try:
        return os.path.realpath(folder, strict=True)
    except ValueError:  # no file system takes such a name
        return folder
    except OSError as error:
        if error.errno not in NOWHERE | HIDDEN:
            raise
        return os.path.realpath(folder)


def _is_link(path: str) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(path).st_mode)
    except ValueError:
        return False
    except OSError as error:
        if error.errno not in NOWHERE | HIDDEN:
            raise
        return False
