"""Jobs whose scripts are kept in tests/golden/dialects, each dialect's in its own words.

`python -m unit.backends.dialects.examples` (in tests/) writes them anew: look at the difference.
"""

import shlex
from pathlib import Path

from solveyard import registry
from solveyard.backends.dialects.base import BatchJob
from solveyard.model.batch import BatchOptions
from solveyard.model.resources import Resources
from unit.backends.dialects.jobs import job, run

GOLDEN = Path(__file__).parents[3] / "golden" / "dialects"

_ALL = {
    "queue": "debug", "account": "antennas", "priority": 7, "mail": ("eve@example.org",),
    "mail_on": ("begin", "end", "fail"), "exclusive": True, "time": "1-12:30:00",
    "prologue": "export OMP_NUM_THREADS=2\nulimit -c 0", "epilogue": "rm -rf scratch",
}  # fmt: skip
_MODULES = ("gcc/12.2", "ansys/2025r2")
_UNIX = {**_ALL, "modules": _MODULES, "tasks_per_node": 2}
WISHES: dict[str, BatchOptions] = {
    "slurm": BatchOptions(
        **_UNIX, reservation="course_7", qos="high", gpu_type="a100", nice=3,
        constraint="[rack1|rack2]&intel", native=("--switches=1", "-L foo@db:2"),
    ),
    "pbs": BatchOptions(**_UNIX, constraint="arch=linux", native=("-W umask=027",)),
    "lsf": BatchOptions(
        **_UNIX, reservation="course_7", qos="night", gpu_type="A100",
        constraint="intel && maxmem>64000", native=("-app fluent",),
    ),
    "winhpc": BatchOptions(**_ALL, constraint="fast,big", native=("/requirednodes:n1",)),
}  # fmt: skip


def full(dialect: str) -> BatchJob:
    """Says all that the dialect has words for."""
    windows = dialect == "winhpc"
    folder = "C:\\data\\di pole" if windows else "/data/di pole"
    return job(
        run(folder, ("./solve", "it's 5 %", "-o", "out.s1p"), env={"A": "1 2", "B": "50%"}),
        name="Dipole, 2.4 GHz",
        options=WISHES[dialect],
        resources=Resources(
            nodes=2,
            cores=8,
            memory=4000,
            gpus=0 if windows else 1,
            disk=0 if dialect in {"pbs", "winhpc"} else 500,
            licences={"hfss": 2, "anshpc": 8},
        ),
        warning=120.0 if dialect in {"slurm", "lsf"} else None,
        log="C:\\data\\log" if windows else f"{folder}/log",
    )


def least(dialect: str) -> BatchJob:
    """Says nothing that it needn't."""
    return job(run("C:\\data" if dialect == "winhpc" else "/data"))


def array(dialect: str) -> BatchJob:
    runs = [
        run("/data", ("./solve", f"{0.4 + n / 10:.1f}"), position=n, env={"N": str(n), "ALL": "1"})
        for n in range(3)
    ]
    return job(*runs, array=True, at_once=2, log="/data/log", resources=Resources(cores=2))


def texts() -> dict[Path, str]:
    """Every script and the command that hands it in, by the file that keeps it."""
    found: dict[Path, str] = {}
    for name, dialect in registry.dialects().items():
        for make in (full, least, array) if dialect.arrays else (full, least):
            one, ending = make(name), "cmd" if name == "winhpc" else "sh"
            path = GOLDEN / name / f"{make.__name__}.{ending}"
            found[path] = dialect.script(one)
            where = "C:\\data\\job.cmd" if ending == "cmd" else "/data/job.sh"
            call = dialect.submit(one, where)
            found[path.with_suffix(".call")] = f"{shlex.join(call.argv)}\n"
    return found


if __name__ == "__main__":
    for path, text in texts().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, newline="")
