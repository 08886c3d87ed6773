"""The command: measure, print a table, write `last.json`, and say by the exit status if all held.

Exit status 0: no target was missed; 1: one was; 2: something could not be measured.
"""

import argparse
import compileall
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import msgspec
from rich.console import Console

import solveyard
from benchmarks import (
    api,
    arrays,
    figures,
    growth,
    idle,
    interpreter,
    latency,
    launch,
    makespan,
    memory,
    peers,
    pyedb,
    restart,
    scale,
    slurm,
    submissions,
)
from benchmarks.bare import Bare
from benchmarks.failure import CannotMeasure
from benchmarks.figures import Figure, Verdict
from benchmarks.machine import Moment, others
from benchmarks.room import Room
from solveyard.model.errors import SolveyardError
from solveyard.store.filesystems import kind_in

ALL: Sequence[ModuleType] = (
    launch,
    peers,
    growth,
    latency,
    memory,
    idle,
    restart,
    arrays,
    api,
    submissions,
    pyedb,
    makespan,
    slurm,
    scale,
)
LAST = Path(__file__).with_name("last.json")
_PROBE = 5000  #: launches by which this machine is compared with the reference
_CROWDED = 0.1  #: of all cores; more than that for others, and no figure is worth anything
_AWAKE = 0.8  #: of two cores: the loop's, where they wake fast; 0.92 on the reference machine


def main(given: Sequence[str] | None = None) -> int:
    known = {module.name: module for module in ALL}
    told = "\n".join(f"  {module.name:<11} {module.sentence}" for module in ALL)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        epilog=f"benchmarks:\n{told}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=known, help="this one alone")
    parser.add_argument("--json", type=Path, default=LAST, help="where the figures go as JSON")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("/var/tmp"),
        help="where stores and output files are made meanwhile; on a disk, not in memory",
    )
    chosen = parser.parse_args(given)
    if sys.platform != "linux":
        _tell("the benchmarks read Linux's clocks and /proc; they run nowhere else")
        return 2
    if in_memory(chosen.folder):
        _tell(f"{chosen.folder} is in memory, where fsync costs nothing (--folder: one on a disk)")
        return 2
    folder = Path(tempfile.mkdtemp(prefix="sy-bench-", dir=chosen.folder))
    try:
        found, loop, whole = _measure(folder, [known[chosen.only]] if chosen.only else ALL)
    except CannotMeasure as error:
        _tell(str(error))
        return 2
    finally:
        shutil.rmtree(folder)
    rows = figures.rows(found, loop)
    chosen.json.write_bytes(msgspec.json.format(msgspec.json.encode(rows)) + b"\n")
    Console().print(figures.table(found, loop))
    if not whole:
        return 2
    return 1 if any(row["verdict"] == Verdict.MISSED for row in rows) else 0


def _measure(folder: Path, modules: Sequence[ModuleType]) -> tuple[list[Figure], float, bool]:
    """The figures, the C loop's launches/s, and whether each benchmark could be run.

    Raises CannotMeasure when there is no C loop.
    """
    # as pip does with what it installs: else each start of ours compiles all that it imports
    compileall.compile_dir(Path(solveyard.__file__).parent, quiet=2)
    bare = Bare.compiled(folder / "bare")
    before = Moment.now()
    probe = bare.launches(_PROBE)
    beside = others(before, Moment.now(), _PROBE * probe.cpu, os.cpu_count() or 1)
    loop = probe.rate
    _tell(f"C loop: {loop:.0f} launches/s (reference {figures.REFERENCE:.0f})")
    _tell(interpreter.told())
    if beside > _CROWDED:
        _tell(
            f"WARNING: others had {beside:.0%} of all cores during the C loop: no figure of this"
            " run can be trusted, ratios and verdicts included"
        )
    elif probe.busy() < _AWAKE:
        _tell(
            f"the C loop had {probe.busy():.0%} of two cores, and nobody the rest: this machine"
            " takes long to wake a processor, as virtual ones do; compare ratios, not figures"
        )
    room = Room(folder, bare, lambda line: _tell(f"  {line}"))
    found: list[Figure] = []
    whole = True
    for module in modules:
        _tell(f"{module.name}: {module.sentence}")
        try:
            found += module.run(room)
        except (CannotMeasure, SolveyardError) as error:
            _tell(f"{module.name} could not be measured: {error}")
            whole = False
    return found, loop, whole


def in_memory(folder: Path) -> bool:
    """Is what is written there never on a disk?"""
    mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    return kind_in(mounts, folder.resolve()) in {"tmpfs", "ramfs"}


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
