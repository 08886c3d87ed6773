"""What a forked child must not keep: sockets that it holds, too, stay open when its parent dies.

A pool's workers often outlive the program that began them. Whoever waits for the end of one of its
connections would wait for theirs.
"""

import contextlib
import os
import selectors
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

_parents: dict[int, tuple[int, int]] = {}  #: descriptors, and the files that they were of


def parents(descriptor: int) -> None:
    """It is this process's alone: what is forked from now on lets go of it.

    Only of sockets and pipes: of what else there is, pidfds say, many may share one inode, so that
    another that got the same number later couldn't be told from it.
    """
    status = os.fstat(descriptor)
    if stat.S_ISSOCK(status.st_mode) or stat.S_ISFIFO(status.st_mode):
        _parents[descriptor] = (status.st_dev, status.st_ino)


class Selector(selectors.DefaultSelector):
    """Of an event loop whose sockets and pipes are this process's alone."""

    def register(
        self, fileobj: "FileDescriptorLike", events: int, data: object = None
    ) -> selectors.SelectorKey:
        key = super().register(fileobj, events, data)
        parents(key.fd)
        return key


def _let_go() -> None:
    """By number: their objects might speak to the other end, or to an epoll that both have.

    The null device takes each place, so that it is closed in vain when its object goes.
    """
    with contextlib.suppress(OSError):
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor, file in _parents.items():
            with contextlib.suppress(OSError):  # it was closed long ago
                status = os.fstat(descriptor)
                if (status.st_dev, status.st_ino) == file:
                    os.dup2(nothing, descriptor, inheritable=False)
        os.close(nothing)
    _parents.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
