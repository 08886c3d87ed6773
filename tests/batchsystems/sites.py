"""Every batch system of the conformance suite, real or standing in, as the suite sees it."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from batchsystems import BatchSystem
from batchsystems.state import opened
from cluster.slurm import NODES, Slurm
from conftest import until
from solveyard.model.jobs import Reason
from solveyard.model.resources import Resources

SETTINGS = """\
[clusters.{name}]
dialect = "{dialect}"
poll_min = 0.2
poll_max = 0.5
settle = 2
lost_after = 4
"""


@dataclass
class Site:
    """`name` is the cluster's; `later` are wishes that keep a job waiting."""

    name: str
    environment: dict[str, str]
    dialect: str
    later: dict[str, Any]
    waiting: str  #: of a job that waits for the cores of others
    refusal: str  #: of a queue that there isn't
    all_cores: Resources = field(default_factory=lambda: Resources(cores=8))
    no_prologue: str = "exit 9"  #: a prologue that fails
    signals: bool = True  #: it tells a signal from an exit code
    tells_limits: bool = True  #: that a job's time was over can be known
    tells_cancellations: bool = True  #: of others
    holds: bool = True
    takes_all: bool = True  #: wishes that its dialect has words for
    queue: str = "debug"  #: that everything goes to where none is named
    queues: int = 1
    cores: int = 8
    never: Reason = Reason.DEPENDENCY  #: why a job ends whose dependency can't be met
    unmet: str = ""  #: what waits for what can't be any more waits on, so; "": it is taken out
    submits: str = ""  #: its commands, by what they do
    four_cores: str = ""  #: how a script or its command says that
    ending: str = "sh"  #: of a script's name

    @property
    def settings(self) -> str:
        return SETTINGS.format(name=self.name, dialect=self.dialect)

    # What somebody else does there

    def cancel(self, native_id: str) -> None:
        raise NotImplementedError

    def depends(self, native_id: str) -> dict[str, Any] | None:
        """Wishes of a job that begins once that one has succeeded; None: it has no word."""
        raise NotImplementedError

    def given(self, store: str) -> list[str]:
        """The ids of all that it was given from a store, tasks of arrays one by one."""
        raise NotImplementedError

    def hang_after_taking(self) -> None:
        """From now on a submission arrives, and nobody hears of it."""
        raise NotImplementedError

    def taken(self, mark: str) -> None:
        """Wait until it has this one, where that can be seen."""

    def takes(self, script: str, command: str, folder: Path) -> bool:
        """It would take this script by this command."""
        raise NotImplementedError

    def come_back(self) -> None:
        raise NotImplementedError

    def reach_limit(self, native_id: str) -> None:
        """Have its time be over, where a minute is too long for a test."""

    def stop(self) -> None:
        raise NotImplementedError


@dataclass
class RealSlurm(Site):
    slurm: Slurm | None = None

    def _run(self, *argv: str) -> str:
        assert self.slurm is not None
        return self.slurm.run(*argv)

    def cancel(self, native_id: str) -> None:
        self._run("scancel", native_id)

    def depends(self, native_id: str) -> dict[str, Any]:
        return {"native": [f"--dependency=afterok:{native_id}"]}

    def given(self, store: str) -> list[str]:
        assert self.slurm is not None
        return self.slurm.given(store)

    def hang_after_taking(self) -> None:
        assert self.slurm is not None
        self.slurm.send("slurmctld", signal.SIGSTOP)

    def takes(self, script: str, command: str, folder: Path) -> bool:
        assert self.slurm is not None
        told = subprocess.run(
            ["sbatch", "--test-only"], input=script, env=self.slurm.environment,
            text=True, capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        return "to start at" in told.stderr

    def come_back(self) -> None:
        assert self.slurm is not None
        self.slurm.send("slurmctld", signal.SIGCONT)

    def reach_limit(self, native_id: str) -> None:
        self._run("scontrol", "update", f"JobId={native_id}", "EndTime=now+2")

    def stop(self) -> None:
        assert self.slurm is not None
        self.slurm.stop()


@dataclass
class StandIn(Site):
    """Its commands, by what they do."""

    system: BatchSystem | None = None
    asks: str = ""
    cancels: str = ""
    first: str = ""  #: that is missed where none is there
    away: tuple[str, int] = ("", 1)  #: words and status of a command whose server isn't there
    cut: int = 0  #: status of one whose answer is cut off
    dependency: str = ""  #: an option with a place for the number

    @property
    def there(self) -> BatchSystem:
        assert self.system is not None
        return self.system

    def cancel(self, native_id: str) -> None:
        self.there.run(*self.cancels.split(), native_id)

    def depends(self, native_id: str) -> dict[str, Any] | None:
        return {"native": [self.dependency.format(native_id)]} if self.dependency else None

    def given(self, store: str) -> list[str]:
        """As it noted for its tests, whatever its commands tell."""
        log = self.there.folder / "given"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line.split()[0] for line in lines if store in line]

    def hang_after_taking(self) -> None:
        self.there.fault(self.submits, "hang after")

    def taken(self, mark: str) -> None:
        until(lambda: bool(self.given(mark)), "it has arrived")

    def come_back(self) -> None:
        self.there.well()

    def takes(self, script: str, command: str, folder: Path) -> bool:
        path = folder / f"script.{self.ending}"
        path.write_text(script, newline="")
        *argv, last = shlex.split(command)
        taken = self.there.run(*argv, str(path) if last.startswith("/") else last, stdin=script)
        number = int(re.findall(r"[0-9]+", taken)[0])
        until(lambda: self.over(str(number)), "it has run")  # and found no folder
        return True

    def over(self, native_id: str) -> bool:
        number, index = _numbers(native_id)
        job = self.there.knows().jobs.get(number)
        return job is None or job.parts[index].state == "over"

    def forget(self, native_id: str) -> None:
        """As if it had never been: its processes are gone, and what was known of it."""
        number, _ = _numbers(native_id)
        with opened(self.there.folder) as system:
            job = system.jobs.pop(number, None)
            for part in job.parts.values() if job else ():
                for pid in (part.pid, -part.group):
                    if pid and part.state == "running":
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        self.there.stop()


def _numbers(native_id: str) -> tuple[int, str]:
    """A job's, and its index in an array."""
    match = re.match(r"([0-9]+)(?:\[([0-9]+)\])?", native_id)
    assert match is not None
    return int(match[1]), match[2] or ""


def started(kind: str, folder: Path) -> Site:
    """One for a session's or a module's tests."""
    return _MAKERS[kind](folder)


def _slurm(folder: Path) -> Site:
    slurm = Slurm(folder)
    try:
        slurm.start()
    except BaseException:
        slurm.stop()
        raise
    return RealSlurm(
        "slurm", {"SLURM_CONF": str(slurm.conf)}, "slurm", {"native": ["--begin=now+1hour"]},
        waiting="Resources", refusal="invalid partition",
        all_cores=Resources(nodes=NODES, cores=8), queues=4, cores=32,
        submits="sbatch", four_cores="--ntasks=4", slurm=slurm,
    )  # fmt: skip


def _pbs(folder: Path, *, keeps: bool = True) -> Site:
    system = BatchSystem("pbs", folder / "pbs", keeps=keeps, grace=2.0)
    return StandIn(
        "pbs", system.environment, "pbs", {"native": ["-a 12312359"]},
        waiting="Not enough free nodes", refusal="Unknown queue",
        queue="workq", system=system, submits="qsub", asks="qstat", cancels="qdel", first="qstat",
        four_cores="select=1:ncpus=4",
        away=("qstat: cannot connect to server pbshost (errno=15010)", 166),
        dependency="-W depend=afterok:{}",
    )  # fmt: skip


def _forgetful_pbs(folder: Path) -> Site:
    return replace(_pbs(folder, keeps=False), tells_cancellations=False, never=Reason.LOST)


def _lsf(folder: Path, *, ibm: bool = True) -> Site:
    system = BatchSystem(
        "lsf",
        folder / "lsf",
        next=1,
        queues=["normal"],
        licences={"ansys": 4},
        ibm=ibm,
        minute=2.0 if ibm else 60.0,  # where a limit is known by the time alone
        grace=2.0,
    )
    return StandIn(
        "lsf", system.environment, "lsf", {"native": ["-b 12:31:23:59"]},
        waiting="Not enough job slot(s)" if ibm else "PEND", refusal="No such queue",
        unmet="Dependency condition invalid or never satisfied" if ibm else "PEND",
        tells_cancellations=ibm,
        system=system, submits="bsub", asks="bjobs", cancels="bkill",
        queue="normal", takes_all=ibm, first="bjobs", four_cores="#BSUB -n 4",
        away=("LSF is down. Please wait ...", 255), dependency="-w done({})",
    )  # fmt: skip


def _open_lsf(folder: Path) -> Site:
    return _lsf(folder, ibm=False)


def _winhpc(folder: Path) -> Site:
    system = BatchSystem(
        "winhpc", folder / "winhpc", next=1, queues=["Default"], minute=2.0, grace=2.0
    )
    return StandIn(
        "hpc", system.environment, "winhpc", {"native": ["/holduntil:12/31/2037"]},
        waiting="Queued", refusal="job template", no_prologue="exit /b 9", signals=False,
        tells_limits=False, holds=False, queues=0, system=system, submits="job submit",
        asks="job list", cancels="job cancel", first="cmd", four_cores="/numcores:4-4",
        queue="Default", ending="cmd", cut=1, away=("Unable to connect to the head node.", 1),
    )  # fmt: skip


_MAKERS = {
    "slurm": _slurm,
    "pbs": _pbs,
    "pbs-forgets": _forgetful_pbs,
    "lsf": _lsf,
    "lsf-open": _open_lsf,
    "winhpc": _winhpc,
}
