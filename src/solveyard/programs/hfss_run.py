"""Watch the disk of a solve, and end it cleanly: `python -m ... hfss_run OPTIONS -- ANSYSEDT ...`.

`--least BYTES`: free in the current folder, and in `--scratch FOLDER`, when it starts, and watched
meanwhile. `--stop JSON`: the words of a command that asks ansysedt for its clean stop, run where
TERM comes; ansysedt and its engines are started deaf to it. The exit code is ansysedt's, or one of
those below. `--keep`: "trimmed" or "archive", of the result folder of `--project` where it went
well.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from solveyard.programs.hfss_results import tidy

NO_ROOM, NO_START, SHORT = 121, 122, 123  #: exit codes
_LOOK = 5.0  #: s between looks at the free disk
_HEAR = 0.2  #: s until a wish to stop is heard


def main(argv: Sequence[str]) -> int:
    at = argv.index("--")
    options, command = dict(zip(argv[:at:2], argv[1:at:2], strict=True)), argv[at + 1 :]
    room = Room(int(options.get("--least", 0)), options.get("--scratch", ""))
    if room.short:
        say(f"no room to solve here: {gib(room.least)} are to be free, and {room} are")
        return NO_ROOM
    code = run(command, room, json.loads(options.get("--stop", "[]")))
    if code == 0 and "--keep" in options:
        tidy(Path(options["--project"]), options["--keep"])
    return code


class Room:
    """Free disk where a solve writes."""

    def __init__(self, least: int, scratch: str = "") -> None:
        """`least`: bytes; `scratch`: where temporary files go, beside the current folder."""
        self.least = least
        self._scratch = scratch

    @property
    def short(self) -> bool:
        return self._free() < self.least

    def __str__(self) -> str:
        return gib(self._free())

    def _free(self) -> int:
        places = [os.curdir, *([self._scratch] if os.path.isdir(self._scratch) else ())]  # noqa: PTH112
        return min(shutil.disk_usage(place).free for place in places)


def run(command: Sequence[str], room: Room, stop: Sequence[str] = ()) -> int:
    """Its exit code, as a shell tells it; SHORT where it failed, and there was no room.

    TERM doesn't end this process, but has `stop` run.
    """
    code = _ended(command, room, stop)
    if code and code != NO_START and room.short:
        say(f"{command[0]} ended with {code} while only {room} of disk were free")
        return SHORT
    return code


def _ended(command: Sequence[str], room: Room, stop: Sequence[str]) -> int:
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    try:
        if stop and sys.platform != "win32":
            process = subprocess.Popen(command, preexec_fn=_deaf)
        else:
            process = subprocess.Popen(command)
    except OSError as error:
        say(f"cannot start {command[0]}: {error}")
        return NO_START
    looks, told = 0.0, False
    while True:
        try:
            code = process.wait(_HEAR if stop else _LOOK)
            return code if code >= 0 else 128 - code
        except subprocess.TimeoutExpired:
            looks += _HEAR if stop else _LOOK
        if asked and stop:
            _stop(stop)
            stop = ()
        if looks >= _LOOK and not told and room.short:
            say(f"note: only {room} of disk are free where it solves")
            told = True


def gib(amount: int) -> str:
    return f"{amount / 1024**3:.1f} GiB"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _stop(command: Sequence[str]) -> None:
    say("asking for a clean stop")
    try:
        code = _started(command, deaf=True).wait()  # TERM may come again, to all that is there
    except OSError as error:
        say(f"cannot start {command[0]}: {error}")
        return
    if code:
        say(f"{command[0]} could not have it stopped: exit code {code}")


def _started(command: Sequence[str], *, deaf: bool) -> "subprocess.Popen[bytes]":
    if deaf and sys.platform != "win32":
        return subprocess.Popen(command, preexec_fn=_deaf)
    return subprocess.Popen(command)


def _deaf() -> None:
    """What is ignored stays ignored in the programs that are started."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
