"""Whole campaigns in simulated time, with crashes and losses at every message boundary.

    python tools/simulate.py [--seeds 100000] [--first 0] [--at-once 2]   many crash schedules
    python tools/simulate.py --sweep 20     one fault at each boundary of so many campaigns
    python tools/simulate.py --planted      see that faults planted in the code are found
    python tools/simulate.py --show SEED    one schedule, as it goes

Exit status 1: a promise was broken, or a planted fault was not found. A seed replays exactly.
"""

import argparse
import gc
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from simulation.campaign import FAULTS, run  # noqa: E402  # found only then

CHUNK = 50  #: seeds that a process runs in one go
ENOUGH = 600  #: seeds in which a planted fault has to be found


class Planted(NamedTuple):
    """A fault in a copy of the package."""

    what: str
    file: str
    right: str  #: stands there exactly once
    wrong: str


PLANTED = (
    Planted(
        "actions leave before their commit",
        "manager/turns.py",
        "                await self._commit(decided.events)\n            except StoreError",
        "                self._committed(0, [], decided.actions)\n"
        "                await self._commit(decided.events)\n            except StoreError",
    ),
    Planted(
        "an end is acknowledged before its commit",
        "manager/turns.py",
        "                await self._commit(decided.events)\n            except StoreError",
        "                told = [a for a in decided.actions if 'Forget' in repr(type(a))]\n"
        "                self._committed(0, [], told)\n"
        "                await self._commit(decided.events)\n            except StoreError",
    ),
    Planted(
        "a new spawner doesn't read its ledger",
        "agent/ledger.py",
        "self._size, self._torn = self._load()",
        "self._size, self._torn = self._load(); self.entries.clear()",
    ),
    Planted(
        "a new spawner doesn't look after what runs",
        "agent/spawner.py",
        "recover(ledger, self._runs, platform, identity.boot_id, who)",
        "assert who",
    ),
    Planted(
        "a launch of an earlier boot is sent again",
        "core/reports.py",
        "same_boot = attempt.placement.boot_id == report.boot_id",
        "same_boot = True",
    ),
    Planted(
        "a launch of a ledger that is gone is sent again",
        "core/reports.py",
        "same_ledger = attempt.placement.ledger == report.ledger",
        "same_ledger = same_boot = True",
    ),
    Planted(
        "a repeated array is answered with its tasks",
        "manager/repeats.py",
        "whole = [job for job in jobs if array_of(job.id) is None]",
        "whole = [job for job in jobs if job.id]",
    ),
    Planted(
        "a command is started before the ledger has it",
        "agent/runs.py",
        "record = self._ledger.accept(launch.attempt, terms)",
        'record = {"attempt": launch.attempt, **terms}\n'
        '        self._ledger._entry(launch.attempt, b"").accepted = record',
    ),
    Planted(
        "a start that isn't in the ledger never was",
        "agent/recovery.py",
        "if not living:",
        "if found is not None:",
    ),
    Planted(
        "an attempt whose first line was lost is nobody's",
        "agent/recovery.py",
        "        if entry.ended is not None:\n            continue",
        "        if entry.ended is not None or accepted is None:\n            continue",
    ),
    Planted(
        "ends are told once, and not to the next manager",
        "agent/spawner.py",
        "        self._leaving = False  # that was the manager before this one\n"
        "        self._say_ends()",
        "        self._leaving = False  # that was the manager before this one",
    ),
    Planted(
        "after a commit that failed the engine is not rebuilt",
        "manager/turns.py",
        "self.engine = await self._writer.call(self._load)",
        "await self._writer.call(self._load)",
    ),
    Planted(
        "a rebuilt engine is not told who is connected",
        "manager/turns.py",
        "said = [*self._machines(), *draining,",
        "said = [*draining,",
    ),
    Planted(
        "of a failed commit a part stays",
        "manager/turns.py",
        "records += [job if job is not None else Removed(id=i) for i, job in touched.items()]",
        "records += [job for i, job in touched.items() if job is not None]",
    ),
)


class Found(NamedTuple):
    """A schedule that broke a promise."""

    seed: int
    strikes: dict[int, str] | None
    why: str


class Sum(NamedTuple):
    schedules: int
    boundaries: int
    struck: Counter[str]
    found: list[Found]


def chunk(schedules: list[tuple[int, dict[int, str] | None]]) -> Sum:
    """Run them in this process."""
    warnings.simplefilter("ignore")  # a schedule that breaks off leaves coroutines behind
    gc.disable()
    total, struck, found = 0, Counter[str](), []
    for seed, strikes in schedules:
        try:
            result = run(seed, strikes)
        except Exception as fault:
            found.append(Found(seed, strikes, "".join(traceback.format_exception(fault, limit=-4))))
        else:
            total += result.boundaries
            struck += result.struck
    gc.enable()
    gc.collect()
    return Sum(len(schedules), total, struck, found)


def together(schedules: list[tuple[int, dict[int, str] | None]], at_once: int) -> list[Found]:
    """Run them all, and tell of it."""
    begun = told = time.monotonic()
    chunks = [schedules[at : at + CHUNK] for at in range(0, len(schedules), CHUNK)]
    done, boundaries, struck, found = 0, 0, Counter[str](), list[Found]()
    with ProcessPoolExecutor(at_once) as pool:
        for part in pool.map(chunk, chunks):
            done, boundaries = done + part.schedules, boundaries + part.boundaries
            struck += part.struck
            for one in part.found:
                print(f"seed {one.seed}, strikes {one.strikes}:\n{one.why}", flush=True)
            found += part.found
            if time.monotonic() > told + 60:
                told = time.monotonic()
                print(f"{done} of {len(schedules)}, {len(found)} broke a promise", flush=True)
    seconds = time.monotonic() - begun
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(struck.items()))
    print(f"{done} schedules, {boundaries} boundaries, {seconds:.0f} s; struck: {kinds}")
    print(f"{len(found)} broke a promise")
    return found


def sweep(campaigns: int, first: int) -> list[tuple[int, dict[int, str] | None]]:
    """Every kind of fault at every boundary, in turn: the next kind at the next boundary."""
    kinds = [*FAULTS]
    schedules: list[tuple[int, dict[int, str] | None]] = []
    for seed in range(first, first + campaigns):
        boundaries = run(seed, {}).boundaries
        schedules += [
            (seed, {at: kinds[(at + seed) % len(kinds)]}) for at in range(1, boundaries + 1)
        ]
    return schedules


def planted() -> int:
    """Have each planted fault found, by a process of its own."""
    survived = 0
    for fault in PLANTED:
        with tempfile.TemporaryDirectory(prefix="planted-") as folder:
            package = Path(folder) / "solveyard"
            ignored = shutil.ignore_patterns("*.pyc")
            shutil.copytree(ROOT / "src" / "solveyard", package, ignore=ignored)
            path = package / fault.file
            text = path.read_text(encoding="utf-8")
            if text.count(fault.right) != 1:
                raise ValueError(f"{fault.what}: its place in {fault.file} has changed")
            path.write_text(text.replace(fault.right, fault.wrong), encoding="utf-8")
            done = subprocess.run(
                [sys.executable, __file__, "--until-found", str(ENOUGH)],
                env={**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                text=True,
                check=False,
            )
        survived += done.returncode != 1
        told = (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]
        print(f"{'ok ' if done.returncode == 1 else 'BAD'}  {fault.what}: {told}", flush=True)
    print(f"{len(PLANTED)} faults, {survived} not found")
    return 1 if survived else 0


def until_found(seeds: int) -> int:
    """The first schedule that breaks a promise; exit status 1 where there is one."""
    for first in range(0, seeds, 10):
        if found := chunk([(seed, None) for seed in range(first, first + 10)]).found:
            why = found[0].why.strip().splitlines()[-1]
            print(f"found by seed {found[0].seed}: {why}")
            return 1
    print(f"nothing found in {seeds} seeds")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=100_000, help="schedules (%(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--sweep", type=int, help="one fault at each boundary of so many campaigns")
    parser.add_argument("--planted", action="store_true", help="see that planted faults are found")
    parser.add_argument("--show", type=int, help="run this seed, and tell all that happens")
    parser.add_argument("--until-found", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.show is not None:
        print(run(options.show, verbose=True))
        return 0
    if options.planted:
        return planted()
    if options.until_found is not None:
        return until_found(options.until_found)
    if options.sweep is not None:
        schedules = sweep(options.sweep, options.first)
    else:
        schedules = [(seed, None) for seed in range(options.first, options.first + options.seeds)]
    return 1 if together(schedules, options.at_once) else 0


if __name__ == "__main__":
    sys.exit(main())
