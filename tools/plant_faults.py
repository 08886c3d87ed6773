"""Plant faults in the package, one by one, and see the core's tests find each.

    python tools/plant_faults.py [--machine]

With `--machine` the state machines alone have to find them. Exit status 1: one was not found.
"""

import argparse
import io
import multiprocessing
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import NamedTuple

import _hypothesis_pytestplugin
import hypothesis.stateful  # noqa: F401  imported once for all
import pytest
import pytest_asyncio.plugin
import pytest_timeout
from hypothesis import Phase, settings

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests" / "unit" / "core"
MACHINES = [TESTS / f"test_{name}_machine.py" for name in ("engine", "capacity", "shares")]
#: modules and subjects whose tests are named otherwise
TESTED_BY = {
    "disk": "gates",
    "fitting": "inventory",
    "limits": "clusters",
    "line": "dependencies",
    "numbering": "inventory",
    "pairs": "dependencies",
    "queues": "waiting",
    "reports": "engine",
    "scheduler": "reservation",
    "seating": "successors",
    "wait limit": "engine",
}
AT_ONCE = 2
LONGEST = 200  #: s for one test
PASSED, FAILED = 0, 1  #: pytest's exit statuses; others mean that the tests did not run
QUICK = {
    "SOLVEYARD_EXAMPLES": "0.1",
    "SOLVEYARD_SHRINK": "no",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}
PLUGINS = (_hypothesis_pytestplugin, pytest_asyncio.plugin, pytest_timeout)
OPTIONS = ("-x", "-q", "-s", "--noconftest", "-p", "no:cacheprovider", f"--timeout={LONGEST}")


class Fault(NamedTuple):
    what: str
    file: str  #: in core/
    right: str  #: stands there exactly once
    wrong: str


FAULTS = (
    Fault(
        "lifecycle: a held job stays in the queue",
        "lifecycle.py",
        "(QUEUED, JobHeld): HELD,",
        "(QUEUED, JobHeld): QUEUED,",
    ),
    Fault(
        "queue: of equal jobs the last to arrive goes first",
        "queues.py",
        "Urgency(-job.priority, job.arrival, job.id if",
        "Urgency(-job.priority, -job.arrival, job.id if",
    ),
    Fault(
        "inventory: taken memory is not taken",
        "fitting.py",
        "self.memory += sign * share.memory",
        "self.memory += 0 * share.memory",
    ),
    Fault(
        "slots: one is sent after another that may be gone, and starts beside a third",
        "seating.py",
        "if len(slot.members) > 1 and (leaving or last.attempt in self._unsure):",
        "if False and (leaving or last.attempt in self._unsure):",
    ),
    Fault(
        "boot: what an earlier boot was sent is sent again",
        "reports.py",
        "if job.state is JobState.SUBMITTED and same_boot and same_ledger:",
        "if job.state is JobState.SUBMITTED and same_ledger:",
    ),
    Fault(
        "keys: an exclusive key is not held",
        "seating.py",
        "            self.keys[key] = job.id",
        "            self.keys.pop(key, None)",
    ),
    Fault(
        "wait limit: a retried job has been waiting since its first submission",
        "scheduler.py",
        "since = after.waiting_since",
        "since = after.submitted_at",
    ),
    Fault(
        "recall: a recall that was lost with its connection is not repeated",
        "seating.py",
        "self._recalled.difference_update(attempts)",
        "self._recalled.update(attempts)",
    ),
    Fault(
        "ends: an old attempt's late report ends the new attempt",
        "reports.py",
        "    if attempt.live:\n        here =",
        "    if not job.state.final:\n        here =",
    ),
    Fault(
        "limits: one job more than allowed",
        "scheduler.py",
        "most is not None and len(self.seating) - self.clusters.taken >= most",
        "most is not None and len(self.seating) - self.clusters.taken > most",
    ),
    Fault(
        "reservation: whoever fits a gap may have it",
        "reservation.py",
        "        return after.fits(self.need, self.machine)",
        "        return True",
    ),
    Fault(
        "reservation: what ends last is expected to end first",
        "reservation.py",
        "key=lambda holder: (holder.until, holder.slot))",
        "key=lambda holder: (holder.until, holder.slot), reverse=True)",
    ),
    Fault(
        "reservation: a place is lent without end",
        "reservation.py",
        "or self.lent + _ROUNDING >= most",
        "or self.lent < 0 * most",
    ),
    Fault(
        "reservation: it is not known what was lent to whom",
        "reservation.py",
        "if self.passed is not None and self.passed.job == job else 0.0",
        "if self.passed is not None and self.passed.job != job else 0.0",
    ),
    Fault(
        "reservation: a place is lent to a less urgent one",
        "scheduler.py",
        "reserved.lend(machine, allocation) if equal and lent is None else None",
        "reserved.lend(machine, allocation) if lent is None else None",
    ),
    Fault(
        "reservation: seats that the first needs are lent",
        "reservation.py",
        "or not self.now.spares_pools(allocation, kept)",
        "or not kept",
    ),
    Fault(
        "reservation: whoever is over when what was lent is back may go before",
        "reservation.py",
        "promised=_promised(job, need, inventory, machines, holders) if lent else holder.until,",
        "promised=holder.until,",
    ),
    Fault(
        "reservation: memory that is lent doesn't count",
        "inventory.py",
        "(took / most for needs, most, took in parts if most and (alone or needs))",
        "(took / most for needs, most, took in [*parts][:1] if most)",
    ),
    Fault(
        "gaps: the narrowest goes first",
        "scheduler.py",
        "if last else 0.0, -self.needs.fewest(other))",
        "if last else 0.0, self.needs.fewest(other))",
    ),
    Fault(
        "gaps: the longest goes first, whoever comes",
        "scheduler.py",
        "job.is_array or task.waiting_since >= oldest for",
        "job.is_array for",
    ),
    Fault(
        "gates: what was booked just now isn't seen",
        "gates.py",
        "        percent = 100.0 * (others + booked) / max(1, cores)",
        "        percent = 100.0 * others / max(1, cores)",
    ),
    Fault(
        "arrays: one task more than may run at once",
        "arrays.py",
        "self._trays[array.id].live >= most",
        "self._trays[array.id].live > most",
    ),
    Fault(
        "arrays: an array ends before its last task",
        "arrays.py",
        "if array.state.final or tray.live or waiting",
        "if array.state.final or waiting",
    ),
    Fault(
        "arrays: a cancelled array begins more tasks",
        "arrays.py",
        "return not (array.state.final or array.closed) and",
        "return not array.state.final and",
    ),
    Fault(
        "arrays: a task that was taken back waits behind the others",
        "queues.py",
        "job.arrival, job.id if place is None else place, job.id, kind)",
        "job.arrival, -job.id if place is None else -place, job.id, kind)",
    ),
    Fault(
        "dependencies: a failure is as good as a success",
        "dependencies.py",
        'if link.on == "end":\n        return True',
        'if link.on != "failure":\n        return True',
    ),
    Fault(
        "dependencies: nobody looks again at who waits for a job",
        "line.py",
        "            for waiting in self._dependencies.changed(other):",
        "            for waiting in self._dependencies.changed(other)[:0]:",
    ),
    Fault(
        "retries: a mishap of the machine uses up a try",
        "reports.py",
        "again = replace(job, mishaps=job.mishaps + 1, not_before",
        "again = replace(job, tries=job.tries + 1, mishaps=job.mishaps + 1, not_before",
    ),
    Fault(
        "retries: there is no pause",
        "line.py",
        "if job.not_before is not None:",
        "if False and job.not_before is not None:",
    ),
    Fault(
        "pairs: a task whose counterpart ended waits for those before it",
        "arrays.py",
        "            self._trays[waiting].ready.tell(position)\n            self._trays",
        "            self._trays",
    ),
    Fault(
        "numbers: a core that was given back is not free again",
        "numbering.py",
        "self._free |= _bits(numbers) & self._all",
        "self._free |= _bits(numbers) & self._free",
    ),
    Fault(
        "disk: taken scratch space is not taken",
        "fitting.py",
        "self.disk += sign * share.disk",
        "self.disk += 0 * share.disk",
    ),
    Fault(
        "GPUs: two jobs are given the same ones",
        "fitting.py",
        "            self.gpu_ids.shift(share.gpu_ids, sign)",
        "            self.gpu_ids.shift((), sign)",
    ),
    Fault(
        "counts: what is taken of a named count is not taken",
        "inventory.py",
        "self._counts_taken.get(name, 0) - sign * amount",
        "self._counts_taken.get(name, 0) - 0 * amount",
    ),
    Fault(
        "gates: what was promised just before a machine was looked at counts as used",
        "gates.py",
        "given = (*look.before, *look.since,",
        "given = (*look.since,",
    ),
    Fault(
        "gates: what a job itself will take is not looked at",
        "gates.py",
        "*(() if wanted is None else (wanted,)))",
        "*())",
    ),
    Fault(
        "shares: what ended before the last run is forgotten",
        "shares.py",
        "amount = self._spent(owner, at) + ",
        "amount = 0 * self._spent(owner, at) + ",
    ),
    Fault(
        "shares: what runs doesn't count until it has ended",
        "shares.py",
        "account.cores * now - account.since / 1e6",
        "0 * (account.cores * now - account.since / 1e6)",
    ),
    Fault(
        "quotas: one more job runs than may",
        "shares.py",
        "account.jobs >= quota.running",
        "account.jobs > quota.running",
    ),
    Fault(
        "quotas: a task that has begun still counts as waiting",
        "shares.py",
        "if whole is not None and before is None:",
        "if False and whole is not None:",
    ),
    Fault(
        "clusters: one more is forwarded than may be",
        "clusters.py",
        "if cluster.taken >= cluster.most:",
        "if cluster.taken > cluster.most:",
    ),
    Fault(
        "clusters: what is forwarded counts to this machine's limit",
        "scheduler.py",
        "len(self.seating) - self.clusters.taken >= most",
        "len(self.seating) >= most",
    ),
    Fault(
        "clusters: jobs are forwarded to one that doesn't answer",
        "clusters.py",
        "if cluster is None or not cluster.connected:",
        "if cluster is None:",
    ),
)
NO_FAULT = Fault("no fault", "engine.py", '"""The engine:', '"""The engine:')


class Finder:
    """What pytest tells of the first test that failed."""

    def __init__(self) -> None:
        self.test = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.test:
            self.test = report.nodeid.rpartition("::")[2]


def plant(fault: Fault, folder: Path) -> None:
    """Make a package in `folder` that is the true one but for the fault.

    Raises ValueError: its place has changed.
    """
    package = ROOT / "src" / "solveyard"
    core = folder / package.name / "core"
    core.mkdir(parents=True)
    for there, here in ((package, core.parent), (package / core.name, core)):
        for each in there.iterdir():
            if each.name not in {core.name, fault.file}:
                (here / each.name).symlink_to(each)
    text = (package / core.name / fault.file).read_text(encoding="utf-8")
    if (found := text.count(fault.right)) != 1:
        raise ValueError(f"{fault.what}: {found} places in {fault.file} read {fault.right!r}")
    (core / fault.file).write_text(text.replace(fault.right, fault.wrong), encoding="utf-8")


def near(fault: Fault) -> list[Path]:
    """The tests of its subject, and of the faulty module, which most likely find it."""
    names = (fault.what.partition(":")[0], fault.file.removesuffix(".py"))
    return [TESTS / f"test_{TESTED_BY.get(name, name)}.py" for name in names]


def judge(fault: Fault, tests: list[Path]) -> tuple[int, str, str]:
    """Run `tests` against a package with the fault, until the first that fails, in this process.

    Those near it go first, alone: to read them all takes longer than to run them.
    Its status, the test that found the fault, and what pytest wrote.
    """
    os.chdir(ROOT)
    os.environ.update(QUICK)
    sys.dont_write_bytecode = True  # the folder for it is the true package's
    # found is enough: nobody reads the smallest counterexample
    tried = (Phase.explicit, Phase.generate)
    settings.register_profile("planted", deadline=None, database=None, phases=tried)
    settings.load_profile("planted")
    finder, output = Finder(), io.StringIO()
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        plant(fault, Path(name))
        sys.path.insert(0, name)
        first = [[test] for test in dict.fromkeys(near(fault)) if test in tests]
        rest = [test for test in tests if [test] not in first]
        status: int = PASSED
        for part in (*first, rest):
            if part and status == PASSED:
                with redirect_stdout(output):
                    status = pytest.main([*OPTIONS, *map(str, part)], plugins=[*PLUGINS, finder])
    return int(status), finder.test, output.getvalue()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--machine", action="store_true", help="by the state machines alone")
    machine_alone = parser.parse_args().machine
    examples = sorted({*TESTS.glob("test_*.py")} - {*MACHINES, TESTS / "test_planted_faults.py"})
    tests = MACHINES if machine_alone else [*examples, *MACHINES]
    # Each has a process of its own, forked from one that has imported what this module imports.
    forked = multiprocessing.get_context("forkserver")
    forked.set_forkserver_preload(["__main__"])
    survived = 0
    with ProcessPoolExecutor(AT_ONCE, forked, max_tasks_per_child=1) as pool:
        runs = pool.map(partial(judge, tests=tests), (NO_FAULT, *FAULTS))
        for fault, (status, test, output) in zip((NO_FAULT, *FAULTS), runs, strict=True):
            right = status == (PASSED if fault is NO_FAULT else FAILED)
            survived += not right
            verdict = {PASSED: "nothing found", FAILED: f"found by {test}"}.get(
                status, f"the tests did not run:\n{output}"
            )
            print(f"{'ok ' if right else 'BAD'}  {fault.what}: {verdict}", flush=True)
    print(f"{len(FAULTS)} faults, {survived} wrong verdicts")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
