"""Many jobs of mixed shapes, troubled by cancels, new priorities and limits, and killed managers,
agents and spawners; then each is accounted for by what it wrote itself.

    python tools/soak.py [--jobs 20000] [--kills 10] [--seed 1] [--minutes 60] [--coming 30]

Each start of a command appends a line with its attempt, each orderly end another. In the end every
attempt that has started by its record has started once by its own word, nothing else has, and
whatever succeeded had come to its end. What a killed spawner leaves behind may be lost. Memory
and open files of each process, and the files that are kept, are bounded. Exit status 1: something
is wrong; it says what.
"""

import argparse
import contextlib
import itertools
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil

from solveyard.client import find
from solveyard.client.sync import Client
from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import InvalidRequest, ManagerUnavailable
from solveyard.model.jobs import JobSpec, JobState
from solveyard.model.policies import Dependency, RetryPolicy
from solveyard.model.records import JobRecord
from solveyard.model.resources import Resources

BATCH = 200  #: jobs in one submission
MEMORY = 200 << 20  #: bytes of each process
MEMORY_OF_A_JOB = 10 << 10  #: bytes of the manager, beside that
FILES = 200  #: open in each process
_SOLVEYARD = (sys.executable, "-m", "solveyard.cli")
_BEGIN = 'echo "begun $SOLVEYARD_ATTEMPT" >> "$MARKS"; '
_END = ' && echo "done $SOLVEYARD_ATTEMPT" >> "$MARKS"'


class Soak:
    """One store, its manager, and what was asked of it."""

    def __init__(self, folder: Path, seed: int, coming: float) -> None:
        """`coming`: s that a new manager may take to answer."""
        self.store = folder / "store"
        self.marks = folder / "marks"
        self.random = random.Random(seed)
        self.client = Client(self.store, patience=coming)
        self.submitted = 0  #: jobs; an array counts as its tasks
        self.names: list[str] = []
        self.most: dict[str, tuple[int, int]] = {}  #: bytes and open files, of each kind of process
        self._whom = itertools.cycle(("manager", "agent", "spawner"))  # each of them, in turn
        self._manager: subprocess.Popen[bytes] | None = None
        self._coming = coming
        self._told = folder / "serve.log"
        self._log = self._told.open("ab")

    def start(self) -> None:
        self._manager = subprocess.Popen(
            [*_SOLVEYARD, "--store", str(self.store), "serve", "--port", "0", "--cores", "4"],
            stdout=self._log,
            stderr=self._log,
        )
        deadline = time.monotonic() + self._coming
        while time.monotonic() < deadline:
            try:
                if self.client.healthy():
                    return
            except ManagerUnavailable:
                time.sleep(0.05)
        said = self._told.read_text(errors="replace")[-2000:]
        raise SystemExit(f"the manager does not come up in {self._coming:g} s:\n{said}")

    def kill(self) -> str:
        """One of our processes, as a crash would; which. Whoever comes in its place comes soon."""
        where = find.manager(self.store)
        whom = next(self._whom)
        if whom == "manager" or where is None or not where.agent_pid or not where.spawner_pids:
            assert self._manager is not None
            self._manager.kill()
            self._manager.wait()
            self.start()
            return "manager"
        pid = where.agent_pid if whom == "agent" else self.random.choice(where.spawner_pids)
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if str(self.store) in " ".join(process.cmdline()):
                process.kill()
        return whom

    def excess(self) -> list[str]:
        """Which of our processes holds more than it may, in words."""
        found = []
        for whom, pid in self._ours():
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                most = MEMORY + (MEMORY_OF_A_JOB * self.submitted if whom == "manager" else 0)
                used, files = process.memory_info().rss, process.num_fds()
                before = self.most.get(whom, (0, 0))
                self.most[whom] = (max(used, before[0]), max(files, before[1]))
                if used > most:
                    found.append(f"the {whom} has {used >> 20} MiB, not at most {most >> 20}")
                if files > FILES:
                    found.append(f"the {whom} has {files} open files, not at most {FILES}")
        return found

    def _ours(self) -> list[tuple[str, int]]:
        """Our processes, and what each is."""
        where = find.manager(self.store)
        if where is None:
            return []
        named = [("manager", where.pid), ("agent", where.agent_pid)]
        named += [("spawner", pid) for pid in where.spawner_pids]
        return [(whom, pid) for whom, pid in named if pid]

    def stop(self) -> None:
        assert self._manager is not None
        self._manager.send_signal(signal.SIGTERM)
        self._manager.wait(timeout=60)
        self._log.close()

    def submit(self, count: int) -> None:
        specs: list[JobSpec] = []
        while count > 0:
            spec = self._spec(count)
            specs.append(spec)
            tasks = len(spec.array) if spec.array is not None else 1
            count -= tasks
            self.submitted += tasks
        self.names += [record.id for record in self.client.submit_many(specs)]

    def trouble(self) -> None:
        """Something that somebody might do."""
        some = self.random.choices(self.names[-2000:], k=3)
        wish = self.random.random()
        try:
            if wish < 0.4:
                for name in some:
                    self.client.cancel(name)
            elif wish < 0.7:
                for name in some:
                    self.client.set_priority(name, self.random.randint(-5, 5))
            elif wish < 0.8:
                self.client.set_limits(max_concurrent=self.random.choice([None, None, 1, 2, 8]))
            elif wish < 0.9:
                self.client.hold(some[0])
                self.client.release(some[0])
            else:
                self.client.retry(some[0])
        except InvalidRequest:
            pass  # its state doesn't allow it

    def unfinished(self) -> int:
        counts = self.client.queue()
        return sum(counts.get(state, 0) for state in JobState if not state.final)

    def _spec(self, room: int) -> JobSpec:
        chance = self.random.random()
        fields: dict[str, object] = {"priority": self.random.randint(-2, 2)}
        body = "true"
        if chance < 0.05:
            body = "exit 3"
        elif chance < 0.1:
            body, fields["retry"] = 'test "$SOLVEYARD_TRY" -gt 1', RetryPolicy(tries=3)
        elif chance < 0.13:
            body, fields["time_limit"], fields["grace"] = "sleep 60", 0.3, 0.5
        elif chance < 0.16:
            body = "kill -SEGV $$"
        elif chance < 0.2:
            body, fields["resources"] = "sleep 0.05", Resources(cores=self.random.randint(2, 4))
        elif chance < 0.24 and self.names:
            others = self.random.choices(self.names[-50:], k=2)
            fields["after"] = tuple(Dependency(job=name, on="end") for name in others)
        elif chance < 0.28:
            fields["exclusive"] = (self.random.choice("abc"),)
        elif chance < 0.3 and room > 40:
            tasks = self.random.randint(2, 40)
            body = "test {{index}} -ne 7"
            fields["array"] = ArraySpec(stop=tasks, at_once=self.random.choice([None, 2]))
        options = {
            "argv": ["sh", "-c", f"{_BEGIN}{{ {body}; }}{_END}"],
            "env": {"MARKS": str(self.marks)},
        }
        return JobSpec(
            solver="command", options=msgspec.Raw(json.dumps(options).encode()), **fields
        )  # type: ignore[arg-type]  # fields of JobSpec

    # Accounts

    def records(self) -> Iterator[JobRecord]:
        """Of every job and every task."""
        for record in self.client.jobs(limit=None).jobs:
            if record.tasks is None:
                yield record
                continue
            offset = 0
            while page := self.client.tasks(record.id, offset=offset, limit=1000):
                yield from page
                offset += len(page)

    def wrong(self) -> list[str]:
        """What doesn't add up, in words."""
        found: list[str] = []
        lines = self.marks.read_text().split("\n")[:-1]
        begun = Counter(line[6:] for line in lines if line.startswith("begun "))
        done = {line[5:] for line in lines if line.startswith("done ")}
        states: Counter[str] = Counter()
        known: set[str] = set()
        launched = 0  #: attempts that may have left files
        for record in self.records():
            states[record.state.value] += 1
            if not record.state.final:
                found.append(f"{record.id} is {record.state}")
            for attempt in record.attempts:
                known.add(attempt.id)
                # its spawner may have been killed before it wrote the start, or started anything
                unknown = attempt.reason == "lost"
                launched += unknown or attempt.started_at is not None
                if attempt.started_at is None and begun[attempt.id] and not unknown:
                    found.append(f"{attempt.id} ran, and is {attempt.reason} without a start")
                if attempt.reason == "success" and attempt.id not in done:
                    found.append(f"{attempt.id} is a success that never came to its end")
                if attempt.id in done and attempt.reason not in {"success", "cancelled", "lost"}:
                    found.append(f"{attempt.id} came to its end and is {attempt.reason}")
        found += [f"{attempt} began {times} times" for attempt, times in begun.items() if times > 1]
        found += [f"{attempt} ran, and no record has it" for attempt in begun.keys() - known]
        if sum(states.values()) != self.submitted:
            found.append(f"{self.submitted} were submitted, and {sum(states.values())} are known")
        kept = sum(1 for path in (self.store / "output").rglob("*") if path.is_file())
        if kept > 2 * launched:
            found.append(f"{launched} attempts were launched, and {kept} files are kept of them")
        print(f"{dict(states)}; {sum(begun.values())} starts", flush=True)
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="give up after so many")
    parser.add_argument("--coming", type=float, default=30.0, help="s for a manager to answer")
    given = parser.parse_args()
    deadline = time.monotonic() + 60 * given.minutes
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as name:
        soak = Soak(Path(name), given.seed, given.coming)
        soak.start()
        try:
            return _run(soak, given.jobs, given.kills, deadline)
        finally:
            soak.stop()


def _run(soak: Soak, jobs: int, kills: int, deadline: float) -> int:
    killed, told, excess = Counter[str](), 0.0, list[str]()
    while soak.submitted < jobs or (left := soak.unfinished()):
        if time.monotonic() > deadline:
            print(f"given up: {left} jobs have not ended", flush=True)
            return 1
        if soak.submitted < jobs:
            soak.submit(min(BATCH, jobs - soak.submitted))
            left = soak.unfinished()
        for _ in range(3):
            soak.trouble()
        due = (kills + 1) * (soak.submitted - left) // jobs
        if killed.total() < due:
            killed[soak.kill()] += 1
        if soak.submitted >= jobs:
            soak.client.set_limits(max_concurrent=None)
            if soak.random.random() < 0.05:
                for record in soak.client.jobs([JobState.HELD], limit=None).jobs:
                    soak.client.release(record.id)
            time.sleep(0.2)
        if time.monotonic() - told > 5.0:
            told = time.monotonic()
            excess += soak.excess()
            print(f"{soak.submitted} submitted, {left} to go, killed: {dict(killed)}", flush=True)
    wrong = [*soak.wrong(), *excess, *soak.excess()]
    print(*wrong[:50], sep="\n")
    for whom, (used, files) in soak.most.items():
        print(f"{whom}: at most {used / 2**20:.0f} MiB, {files} open files", flush=True)
    print(f"{soak.submitted} jobs, {killed.total()} kills, {len(wrong)} wrong", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
