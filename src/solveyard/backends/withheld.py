"""What no workspace shows: the manager's own store, where its owner's tokens lie."""

import os
import re
from functools import cached_property
from pathlib import Path

_GIVEN = re.compile(r"jobs/[0-9]+/")  #: a job's own folder, on the way from the store's
_NAMED = re.compile(r"[0-9]+([/\\][0-9]+)?")  #: the same as the manager names it, or a task's


class Store:
    """The folder of a store, known by what the system calls it.

    Names don't tell: by links, mounts or the case of letters it has several.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._jobs = f"{folder}{os.sep}jobs{os.sep}"

    def given(self, root: str) -> bool:
        """Is it a job's own folder in the store, so that all of it is the job's?"""
        if root.startswith(self._jobs) and _NAMED.fullmatch(root, len(self._jobs)):
            return True
        rest = self._rest(os.path.realpath(root))
        return rest is not None and _GIVEN.match(rest) is not None

    def has(self, place: str) -> bool:
        """Is this, links resolved, the store's folder or anything in it?"""
        return self._rest(place) is not None

    def is_it(self, place: str | int) -> bool:
        """Is this, by its path or open, the store's folder?"""
        return self._mark is not None and _mark(place) == self._mark

    def hides(self, folder: int | None, top: str, path: str, *, first: bool) -> bool:
        """A folder that is being listed: `path` in `top`, open where the system can.

        What is above the `first` is looked at, too: below that each is asked about.
        """
        place = os.path.join(top, path)  # noqa: PTH118
        if folder is not None and not first:
            return self.is_it(folder)
        real = really(folder) if folder is not None else ""
        return self.has(real or os.path.realpath(place))

    def _rest(self, place: str) -> str | None:
        """The way to a place from the store's folder, each part with "/"; None: it isn't there."""
        rest = ""
        while self._mark is not None:
            if self.is_it(place):
                return rest
            above, name = os.path.split(place)
            if not name:
                return None
            place, rest = above, f"{name}/{rest}"
        return None

    @cached_property
    def _mark(self) -> tuple[int, int] | None:
        return _mark(self._folder)


def really(descriptor: int) -> str:
    """Where an open file or folder is, whatever has been exchanged since; empty: who knows."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115
    except OSError:
        return ""


def _mark(place: str | int) -> tuple[int, int] | None:
    """None: there is nothing, or it can't be looked at."""
    try:
        found = os.stat(place)  # noqa: PTH116  # no Path: see `workspace`
    except OSError:
        return None
    return found.st_dev, found.st_ino
