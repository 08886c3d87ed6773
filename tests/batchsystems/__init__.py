"""Programs that stand in for batch systems which a test machine doesn't have. None is the real one.

Each system is a folder: what it knows is one file, changed under a lock; its commands lie in
`bin`, for somebody's PATH. They take the options, print the forms and end with the statuses that
were recorded of real ones, or stand in their documents; other options they refuse, saying so.
Scripts really run, on one made-up node, as process groups with their limits kept.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from batchsystems.state import Part, System, opened

HERE = Path(__file__).parent
PROGRAMS = {
    "pbs": ("qsub", "qstat", "qdel", "qhold", "qrls", "qalter", "qsig", "pbsnodes"),
    "lsf": (
        "bsub", "bjobs", "bkill", "bstop", "bresume", "bmod", "bqueues", "bhosts", "bparams",
        "bhist",
    ),
    "winhpc": ("job", "cmd"),
}  # fmt: skip


class BatchSystem:
    """One that is installed in a folder, as a test sees it."""

    def __init__(self, kind: str, folder: Path, **settings: Any) -> None:
        """`settings` are fields of `state.System`."""
        self.kind = kind
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        for name in ("spool", "faults"):
            (folder / name).mkdir()
        for name in PROGRAMS[kind]:
            program = self.bin / name
            program.write_text(
                f"#!/bin/sh\n# A stand-in of solveyard's tests; it is not the real {name}.\n"
                f'exec "{sys.executable}" -S -E "{HERE}/main.py" {kind} "{folder}" {name} "$@"\n'
            )
            program.chmod(0o755)
        self.set(**settings)
        self.environment = {
            "PATH": os.pathsep.join([str(self.bin), os.environ.get("PATH", os.defpath)])
        }

    def set(self, **settings: Any) -> None:
        with opened(self.folder) as system:
            for name, value in settings.items():
                getattr(system, name)  # there is such a setting
                setattr(system, name, value)

    def run(self, *argv: str, stdin: str = "", cwd: Path | None = None, check: bool = True) -> str:
        """What one of its commands prints, without the last end of line."""
        done = self.ran(*argv, stdin=stdin, cwd=cwd)
        if check and done.returncode != 0:
            raise AssertionError(f"{argv}: {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout.rstrip("\n")

    def ran(
        self, *argv: str, stdin: str = "", cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv, env={**os.environ, **self.environment}, input=stdin, capture_output=True,
            text=True, timeout=60, check=False, cwd=cwd,
        )  # fmt: skip

    def knows(self) -> System:
        """All that it knows now."""
        with opened(self.folder) as system:
            return system

    def part(self, number: int, index: str = "") -> Part:
        return self.knows().jobs[number].parts[index]

    # Faults

    def fault(self, program: str, how: str, **more: Any) -> None:
        """From now on, until it is `well`.

        `how`: "hang" before it does anything, "hang after" it has done it, "cut" its answer, with
        status `code`, "say" `text` with that and do nothing, "say after" having done it.
        """
        new = self.folder / "new"
        new.write_text(json.dumps({"how": how, **more}))
        new.rename(self.folder / "faults" / program)

    def well(self, *programs: str) -> None:
        for fault in (self.folder / "faults").iterdir():
            if not programs or fault.name in programs:
                fault.unlink()
        for told in ("said", "hung"):
            (self.folder / told).unlink(missing_ok=True)

    def stop(self) -> None:
        """End all that runs there."""
        with opened(self.folder) as system:
            for job in system.jobs.values():
                for part in job.parts.values():
                    if part.state in {"running", "suspended"}:
                        for pid in (part.pid, -part.group):
                            if pid:
                                with contextlib.suppress(ProcessLookupError):
                                    os.kill(pid, signal.SIGKILL)
                    part.state = "over"
