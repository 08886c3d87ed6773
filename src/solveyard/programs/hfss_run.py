"""Watch the disk of a solve, and end it cleanly: `python -m ... hfss_run OPTIONS -- ANSYSEDT ...`.

`--least BYTES`: free in the current folder, and in `--scratch FOLDER`, when it starts, and watched
meanwhile: standard error tells, in lines that begin with NOTE, and with `--end SECONDS` the solve
is ended, KILL following TERM after so long. `--stop JSON`: the words of a command that asks
ansysedt for its clean stop, run where TERM comes, or would be sent; with `--deaf yes` ansysedt and
its engines are started deaf to TERM, which comes to all of them at once there. The exit code is
ansysedt's, or one of those below. `--keep`: "trimmed" or "archive", of the result folder of
`--project` where it went well.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from solveyard.programs.hfss_results import tidy

NO_ROOM, NO_START, SHORT, LOW = 121, 122, 123, 124  #: exit codes
NOTE = "note: disk: "
_LOOK = 1.0  #: s between looks at the free disk
_HEAR = 0.2  #: s until a wish to stop is heard


def main(argv: Sequence[str]) -> int:
    at = argv.index("--")
    options, command = dict(zip(argv[:at:2], argv[1:at:2], strict=True)), argv[at + 1 :]
    room = Room(int(options.get("--least", 0)), options.get("--scratch", ""))
    if room.short:
        say(f"no room to solve here: {gib(room.least)} are to be free, and {room} are")
        return NO_ROOM
    grace = float(options["--end"]) if "--end" in options else None
    stop = Stop(json.loads(options.get("--stop", "[]")), deaf="--deaf" in options)
    code = run(command, room, stop, grace)
    if code == 0 and "--keep" in options:
        tidy(Path(options["--project"]), options["--keep"])
    return code


class Stop(NamedTuple):
    """How ansysedt is asked to end cleanly."""

    words: Sequence[str] = ()  #: a command; none: by TERM alone
    deaf: bool = False  #: TERM comes to ansysedt itself, too early


BY_TERM = Stop()


class Room:
    """Free disk where a solve writes."""

    def __init__(self, least: int, scratch: str = "") -> None:
        """`least`: bytes; `scratch`: where temporary files go, beside the current folder."""
        self.least = least
        self._scratch = scratch

    @property
    def short(self) -> bool:
        try:
            return self._free() < self.least
        except OSError:  # what can't be looked at is no reason to end a solve
            return False

    def __str__(self) -> str:
        return gib(self._free())

    def _free(self) -> int:
        places = [os.curdir, *([self._scratch] if os.path.isdir(self._scratch) else ())]  # noqa: PTH112
        return min(shutil.disk_usage(place).free for place in places)


def run(
    command: Sequence[str], room: Room, stop: Stop = BY_TERM, grace: float | None = None
) -> int:
    """Its exit code, as a shell tells it; SHORT where it failed, and there was no room; LOW where
    it was ended for that, which happens with a `grace`, in s between TERM and KILL.

    TERM doesn't end this process, but has `stop` run.
    """
    code = _Solve(room, stop, grace).run(command)
    if code and code not in {NO_START, LOW} and room.short:
        say(f"{command[0]} ended with {code} while only {room} of disk were free")
        return SHORT
    return code


class _Solve:
    """One that is started, watched and ended."""

    def __init__(self, room: Room, stop: Stop, grace: float | None) -> None:
        self._room, self._stop, self._grace = room, stop, grace
        self._low = False
        self._asked: list[int] = []

    def run(self, command: Sequence[str]) -> int:
        signal.signal(signal.SIGTERM, lambda number, _: self._asked.append(number))
        try:
            process = _started(command, deaf=self._stop.deaf)
        except OSError as error:
            say(f"cannot start {command[0]}: {error}")
            return NO_START
        pause, looks, stopping = (_HEAR if self._stop.words else _LOOK), 0.0, False
        while True:
            try:
                code = process.wait(pause)
                return code if code >= 0 else 128 - code
            except subprocess.TimeoutExpired:
                looks += pause
            if self._asked and self._stop.words and not stopping:
                stopping = True
                _stop(self._stop.words)
            if looks >= _LOOK:
                looks = 0.0
                self._look()
                if self._low and self._grace is not None:
                    self._end(process, self._grace)
                    return LOW

    def _look(self) -> None:
        """What has become of the disk is told once each time."""
        room, before = self._room, self._low
        self._low = room.short
        if self._low and not before:
            say(f"{NOTE}only {room} of disk are free where it solves ({gib(room.least)} are to be)")
        elif before and not self._low:
            say(f"{NOTE}{room} of disk are free again where it solves")

    def _end(self, process: "subprocess.Popen[bytes]", grace: float) -> None:
        """Whoever started this program ends what is left of the tree."""
        say(f"ending the solve: {self._room} of disk are free")
        stages = [(process.terminate, grace), (process.kill, None)]
        if self._stop.words:
            words = self._stop.words
            stages[:1] = [(lambda: _stop(words), grace / 2), (process.terminate, grace / 2)]
        for stage, seconds in stages:
            stage()
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
            return


def gib(amount: int) -> str:
    return f"{amount / 1024**3:.1f} GiB" if amount >= 1 << 30 else f"{amount / 1024**2:.0f} MiB"


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
