"""Starting and waiting with what every Python has: subprocess, and a thread for each child."""

from __future__ import annotations

import collections
import contextlib
import os
import socket
import subprocess
import threading
from typing import Any, Deque, Dict, Iterator, List, Optional

from solveyard.agent.platform.base import (
    MARK,
    Child,
    End,
    LaunchError,
    Order,
    Platform,
    Programs,
    bound,
    clean_environment,
    why_not,
)


class Portable(Platform):
    """Half a platform: finding and ending trees is left to the system's own module."""

    def __init__(self) -> None:
        self._programs = Programs()
        self._environment = clean_environment()
        self._ended: Deque[End] = collections.deque()
        self._wakeup: socket.socket

    def open(self, wakeup: socket.socket) -> None:
        self._wakeup = wakeup

    def spawn(self, order: Order) -> Child:
        environment: Dict[str, str] = {**self._environment, **order.env, MARK: order.attempt}
        try:
            program = self._programs.find(order, environment.get("PATH", ""))
            with open(order.stdout, "wb") as stdout:
                if order.stderr == order.stdout:
                    process = self._popen(order, program, environment, stdout, stdout)
                else:
                    with open(order.stderr, "wb") as stderr:
                        process = self._popen(order, program, environment, stdout, stderr)
        except (OSError, ValueError) as error:
            self._programs.forget()
            raise LaunchError(why_not(order, error)) from error
        child = self._started(process, order)
        threading.Thread(target=self._wait, args=(process,), daemon=True).start()
        return child

    def reap(self) -> List[End]:
        ends = []
        while self._ended:
            ends.append(self._ended.popleft())
        return ends

    def _popen(
        self, order: Order, program: str, environment: Dict[str, str], stdout: Any, stderr: Any
    ) -> "subprocess.Popen[bytes]":
        with bound(order.pin), _standing_in(order.entered):
            return subprocess.Popen(
                order.argv,
                executable=program,
                cwd=order.cwd if order.entered is None else None,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                **self._options(),
            )

    def _options(self) -> Dict[str, Any]:
        """What makes the child the first of a tree of its own."""
        raise NotImplementedError

    def _started(self, process: "subprocess.Popen[bytes]", order: Order) -> Child:
        """Before anybody waits for it: it can't be gone."""
        raise NotImplementedError

    def _end(self, process: "subprocess.Popen[bytes]") -> End:
        """Wait for the process, in a thread of its own."""
        raise NotImplementedError

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        self._ended.append(self._end(process))
        with contextlib.suppress(OSError):  # full: awake anyway; closed: leaving
            self._wakeup.send(b"c")


@contextlib.contextmanager
def _standing_in(folder: Optional[int]) -> Iterator[None]:
    """In an open folder, whatever its path leads to by now; None: wherever we are."""
    if folder is None:
        yield
        return
    os.chdir(folder)  # the loop's thread is the only one that looks at the folder
    try:
        yield
    finally:
        os.chdir("/")
