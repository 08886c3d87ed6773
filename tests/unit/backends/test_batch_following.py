"""What is concluded from a batch system's answers, which are made up here, one look at a time."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from solveyard.backends.base import Order, Report
from solveyard.backends.batch import accounts, files, following
from solveyard.backends.batch.acting import Actor
from solveyard.backends.batch.common import Cluster
from solveyard.backends.batch.entries import Entries, Entry, Phase
from solveyard.backends.batch.following import Follower
from solveyard.backends.batch.options import ClusterOptions
from solveyard.backends.batch.sharing import Shared
from solveyard.backends.batch.witness import Witness
from solveyard.backends.dialects import slurm
from solveyard.backends.dialects.base import Answer, Call
from solveyard.backends.hosts.base import Away, Host
from solveyard.backends.hosts.local import LocalHost
from solveyard.model.jobs import AttemptId, JobId, JobSpec, Placement
from solveyard.model.messages import WAITED, Accepted, Kill, Launch, Modify, Stale
from solveyard.model.resources import Allocation, Share
from solveyard.solvers.base import Command

STORE = "0123456789abcdef0123456789abcdef"
OURS = f"{STORE}.1.0.1"
PLACEMENT = Placement(
    machine="slurm", allocation=Allocation(shares=(Share(node="c", cores=1),)), slot=0
)


class Told:
    """A host whose commands answer as a test says, by the client command's name."""

    where = "here"
    silent = ""
    commands = 0

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.calls: list[tuple[str, ...]] = []

    async def run(self, call: Call) -> Answer:
        names = [word for word in call.argv if word in {"squeue", "sacct", "scancel", "scontrol"}]
        self.calls.append((names[0], *call.argv[call.argv.index(names[0]) + 1 :]))
        return self.answers.get(names[0], Answer(0))

    def queue(self, *rows: tuple[str, str, str, str], submitted: str = "1") -> None:
        """Ids, states, comments and names."""
        told = [
            (
                native_id,
                word,
                "0",
                "0",
                submitted,
                "N/A",
                "n1",
                "None\x1e(null)",
                f"{comment}\x1e{name}",
            )
            for native_id, word, comment, name in rows
        ]
        self.answers["squeue"] = _table(*told, end="\x1d")

    def acted_on(self, program: str) -> list[str]:
        return [call[-1] for call in self.calls if call[0] == program]


def _table(*rows: tuple[str, ...], end: str = "") -> Answer:
    lines = ["\x1f".join(row) + end for row in rows]
    return Answer(0, "\n".join([*lines, "solveyard: that was all", ""]))


class Yard:
    def __init__(
        self,
        folder: Path,
        host: Host | None = None,
        prologue: str = "",
        files: Shared | None = None,
        *,
        lost_after: float = 0.0,
        settle: float = 0.0,
    ) -> None:
        self.folder = folder
        self.host = Told()
        self.reports: list[Report] = []
        self.entries = Entries()
        options = ClusterOptions(
            dialect="slurm", lost_after=lost_after, settle=settle, prologue=prologue
        )
        cluster = Cluster(
            "slurm", options, slurm, host or self.host, files or Shared(), self.entries,
            self.reports.append,
        )  # fmt: skip
        self.follower = Follower(cluster)
        self.actor = Actor(cluster, self.follower.answers)

    def order(self, number: int = 1) -> Order:
        launch = Launch(
            job=JobId(number),
            attempt=AttemptId(f"{STORE}.{number}.0.1"),
            spec=JobSpec(solver="command"),
            placement=PLACEMENT,
        )
        place = f"{self.folder}/{number}"
        command = Command(argv=("true",), directory=str(self.folder))
        return Order(launch, command, f"{place}.out", f"{place}.err")

    def entry(self, native_id: str = "7", number: int = 1, *, sure: bool = True) -> Entry:
        one = Entry(self.order(number), Phase.THERE, native_id, sure=sure)
        self.entries.add(one)
        return one

    def record(self, one: Entry, **ended: object) -> None:
        """What its script writes as it begins, and with `ended` when it is over."""
        told = {"attempt": one.attempt, "native": one.native_id, "host": "n1", "began": 1.0}
        files.record(one.order).write_text(json.dumps(told | ended) + "\n")

    async def look(self, times: int = 1) -> None:
        for _ in range(times):
            assert await self.follower.look()

    async def act(self) -> None:
        """What is wished for, until the actor waits for news. Nothing else waits here."""
        self.actor.news.set()
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self.actor.run())
            for _ in range(10):
                await asyncio.sleep(0)
            task.cancel()


def killed(one: Entry, because: str = "cancelled") -> Kill:
    return Kill(attempt=one.attempt, placement=PLACEMENT, grace=1.0, because=because)


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


async def test_a_strangers_job_with_our_id_is_not_ours(yard: Yard) -> None:
    """A controller that lost its state gives ids from 1 again."""
    one = yard.entry()
    yard.host.queue(("7", "PENDING", OURS, f"dipole.{OURS}"))
    await yard.look()
    yard.host.queue(("7", "COMPLETED", "(null)", "somebody-elses"), submitted="200")
    yard.host.answers["sacct"] = _table(
        ("7", "COMPLETED", "0:0", "", "", "n1", "", "somebody-elses")
    )
    await yard.look(2)
    assert one.end is not None
    assert one.end.exit.lost
    assert (one.end.exit.code, one.end.exit.told[0]) == (None, "slurm doesn't know it any more")


async def test_a_strangers_job_with_our_id_is_not_cancelled_nor_held(yard: Yard) -> None:
    first, second = yard.entry(), yard.entry("8", 2)
    yard.host.queue(("7", "PENDING", OURS, "x"), ("8", "PENDING", f"{STORE}.2.0.1", "x"))
    await yard.look()
    others = ("7", "RUNNING", "", "other"), ("8", "PENDING", f"{STORE}.9.0.1", "other")
    yard.host.queue(*others, submitted="200")
    await yard.look()
    first.kill = killed(first)
    second.wish = Modify(attempt=second.attempt, placement=PLACEMENT, held=True, priority=0)
    await yard.act()
    assert {call[0] for call in yard.host.calls} == {"squeue"}


async def test_what_an_earlier_manager_sent_is_cancelled_once_it_is_seen(yard: Yard) -> None:
    one = yard.entry(sure=False)
    one.kill = killed(one)
    yard.host.queue()
    yard.follower.answers.set()
    await yard.act()
    assert yard.host.acted_on("scancel") == []
    yard.host.queue(("7", "PENDING", OURS, "x"))
    await yard.look()
    await yard.act()
    assert yard.host.acted_on("scancel") == ["7"]


async def test_what_was_just_taken_is_cancelled_at_once(yard: Yard) -> None:
    one = yard.entry()
    one.kill = killed(one)
    yard.follower.answers.set()
    await yard.act()
    assert yard.host.acted_on("scancel") == ["7"]


@pytest.mark.parametrize("begun", [True, False])
async def test_what_waited_for_too_long_is_cancelled_where_it_waits_still(
    begun: bool, yard: Yard
) -> None:
    one = yard.entry()
    one.kill = killed(one, WAITED)
    yard.follower.answers.set()
    await yard.act()
    assert yard.host.acted_on("scancel") == []
    yard.host.queue(("7", "RUNNING" if begun else "PENDING", OURS, f"dipole.{OURS}"))
    await yard.look()
    await yard.act()
    assert yard.host.acted_on("scancel") == ([] if begun else ["7"])
    if begun:
        assert one.kill is None
        return
    yard.host.queue(("7", "CANCELLED", OURS, f"dipole.{OURS}"))
    await yard.look()
    assert one.end is not None
    assert one.end.exit.ended_by == "wait_limit"


@pytest.mark.parametrize(
    ("comment", "name"),
    [(OURS, "renamed"), (f"site: {OURS};p=x", f"dipole.{OURS}"), ("(null)", f"dipole.{OURS}")],
)
async def test_a_comment_or_a_name_that_a_site_changed_leaves_it_ours(
    comment: str, name: str, yard: Yard
) -> None:
    one = yard.entry(sure=False)
    yard.host.queue(("7", "RUNNING", comment, name))
    await yard.look()
    assert one.state is not None
    assert one.reachable


async def test_a_comment_and_a_name_that_somebody_changed_leave_it_ours(yard: Yard) -> None:
    """It was handed in when it was as it bore its mark."""
    one = yard.entry()
    yard.host.queue(("7", "RUNNING", OURS, "x"))
    await yard.look()
    yard.host.queue(("7", "SUSPENDED", "mine", "mine"))
    await yard.look(3)
    assert one.end is None
    assert one.reachable
    assert one.state is not None
    assert one.state.word == "SUSPENDED"


@pytest.mark.parametrize(("submitted", "ours"), [("1", True), ("200", False)])
async def test_what_bears_no_mark_for_a_new_manager_is_ours_if_its_record_is_no_older(
    submitted: str, ours: bool, yard: Yard
) -> None:
    one = yard.entry(sure=False)
    yard.record(one)
    yard.host.queue(("7", "RUNNING", "mine", "mine"), submitted=submitted)
    await yard.look(3)
    assert one.reachable is ours
    assert (one.end is None) is ours
    assert ours or (one.end is not None and one.end.exit.lost)


async def test_what_waits_without_a_mark_is_not_lost_to_a_new_manager(yard: Yard) -> None:
    """Nothing tells it from a stranger, and it may run yet."""
    one = yard.entry(sure=False)
    yard.host.queue(("7", "PENDING", "mine", "mine"))
    await yard.look(3)
    assert one.end is None
    assert not one.reachable
    assert yard.reports[1:] == [Stale(attempt=one.attempt)]
    yard.record(one, ended=2.0, stage="command", code=3)
    yard.host.queue(("7", "RUNNING", "mine", "mine"))
    await yard.look(3)
    assert one.reachable


@pytest.mark.parametrize(("submitted", "ours"), [("1", True), ("200", False)])
@pytest.mark.parametrize("many", [1, 3])
async def test_what_waits_without_a_mark_is_known_by_when_it_was_submitted(
    submitted: str, ours: bool, many: int, yard: Yard
) -> None:
    """That was written down as it was seen with its mark."""
    ids = [f"7_{at}" for at in range(many)] if many > 1 else ["7"]
    files.write([yard.order(number + 1) for number in range(many)], "#!/bin/sh\n", "sh")
    for number, native_id in enumerate(ids):
        yard.entry(native_id, number + 1).mark = OURS
    yard.host.queue(*[(native_id, "PENDING", OURS, f"dipole.{OURS}") for native_id in ids])
    await yard.look(2)
    new = Yard(yard.folder)
    entries = [new.entry(one, number + 1, sure=False) for number, one in enumerate(ids)]
    new.host.queue(*[(one, "PENDING", "mine", "mine") for one in ids], submitted=submitted)
    await new.look(3)
    assert [one.reachable for one in entries] == [ours] * many
    assert [one.end is None for one in entries] == [ours] * many
    assert ours or (entries[0].end is not None and entries[0].end.exit.lost)


async def test_what_may_be_ours_or_a_strangers_is_neither_lost_nor_touched(yard: Yard) -> None:
    one = yard.entry()
    yard.record(one)
    yard.host.queue(("7", "RUNNING", "mine", "mine"), submitted="N/A")
    await yard.look(3)
    assert one.end is None
    assert not one.reachable
    assert yard.reports[1:] == [Stale(attempt=one.attempt)]
    assert yard.follower.blocked[one.attempt].startswith("slurm to show it again: job 7 there")
    yard.host.queue(("7", "RUNNING", OURS, "mine"))
    await yard.look()
    assert one.reachable
    assert Accepted(attempt=one.attempt, native_id="7") in yard.reports
    assert one.attempt not in yard.follower.blocked
    yard.host.queue(("7", "RUNNING", "mine", "mine"), submitted="N/A")
    yard.record(one, ended=2.0, stage="command", code=3)
    await yard.look(3)
    assert one.end is not None
    assert one.end.exit.code == 3


async def test_a_task_of_an_array_of_an_earlier_manager_is_known_by_its_first(yard: Yard) -> None:
    orders = [yard.order(number) for number in (1, 2, 3)]
    files.write(orders, "#!/bin/sh\n", "sh")
    entries = [yard.entry(f"7_{at}", at + 1, sure=False) for at in range(3)]
    yard.host.queue(*[(f"7_{at}", "RUNNING", OURS, f"dipole.{OURS}") for at in range(3)])
    await yard.look()
    assert [one.reachable and one.state is not None for one in entries] == [True] * 3
    assert [(one.mark, one.position) for one in entries[1:]] == [(OURS, 1), (OURS, 2)]


async def test_how_it_ended_is_believed_of_accounting_that_bears_its_mark(yard: Yard) -> None:
    one = yard.entry()
    yard.host.queue()
    yard.host.answers["sacct"] = _table(("7", "TIMEOUT", "0:0", "", "", "n1", "", f"dipole.{OURS}"))
    await yard.look(2)
    assert one.end is not None
    assert one.end.exit.ended_by == "time_limit"


REFUSED = "sacct: error: Problem talking to the database: Connection refused"


@pytest.mark.parametrize(
    "silent",
    [
        Answer(None),
        Answer(None, "", "/bin/sh had not ended after 10 s"),
        Answer(None, "", "cannot reach login: ssh failed without a word"),
        Answer(1, "", REFUSED),
    ],
)
async def test_how_it_ended_stays_open_while_accounting_is_silent(
    silent: Answer, yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = yard.entry()
    yard.record(one, ended=9.0, stage="command", signal=15)
    yard.host.queue()
    yard.host.answers["sacct"] = silent
    await yard.look(4)
    assert one.end is None
    assert [call[0] for call in yard.host.calls].count("sacct") == 1, "others wait meanwhile"
    assert "accounting" in yard.follower.blocked[one.attempt]
    monkeypatch.setattr(following, "_SILENCE", 0.0)
    await yard.look(1)
    assert one.end is not None


async def test_what_ended_by_itself_waits_for_no_accounting(yard: Yard) -> None:
    one = yard.entry()
    yard.record(one, ended=9.0, stage="command", code=0)
    yard.host.queue()
    yard.host.answers["sacct"] = Answer(1, "", REFUSED)
    await yard.look(2)
    assert one.end is not None
    assert (one.end.exit.code, one.end.exit.ended_by) == (0, "")


async def test_accounting_that_answers_again_tells_how_it_ended(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "_ASIDE", 0.0)
    one = yard.entry()
    yard.record(one, ended=9.0, stage="command", signal=15)
    yard.host.queue()
    yard.host.answers["sacct"] = Answer(1, "", REFUSED)
    await yard.look(3)
    assert one.end is None
    told = ("7", "NODE_FAIL", "0:0", "1", "9", "n1", "", f"dipole.{OURS}")
    yard.host.answers["sacct"] = _table(told)
    await yard.look(1)
    assert one.end is not None
    assert one.end.exit.ended_by == "node_failure"


async def test_accounting_that_is_none_is_waited_for_by_nobody(yard: Yard) -> None:
    one = yard.entry()
    yard.record(one, ended=9.0, stage="command", signal=15)
    yard.host.queue()
    yard.host.answers["sacct"] = Answer(1, "", "Slurm accounting storage is disabled")
    await yard.look(2)
    assert one.end is not None


async def test_accounting_is_asked_of_what_was_told_to_end_and_ended_well(yard: Yard) -> None:
    one = yard.entry()
    yard.record(one, ended=9.0, stage="command", code=0)
    yard.host.queue()
    told = ("7", "TIMEOUT", "0:0", "1", "9", "n1", "", f"dipole.{OURS}")
    yard.host.answers["sacct"] = _table(told)
    await yard.look(2)
    assert one.end is not None
    assert (one.end.exit.ended_by, one.end.exit.code) == ("time_limit", 0)


async def test_what_the_batch_system_forgot_is_not_lost_as_long_as_its_record_says_it_runs(
    tmp_path: Path,
) -> None:
    yard = Yard(tmp_path, lost_after=1e6)
    one = yard.entry()
    yard.record(one)
    yard.host.queue()
    await yard.look(5)
    assert one.end is None
    yard.record(one, ended=2.0, stage="command", code=3)
    await yard.look()
    assert one.end is not None
    assert (one.end.exit.lost, one.end.exit.code) == ("", 3)


async def test_a_record_that_is_seen_a_while_after_the_end_is_waited_for(tmp_path: Path) -> None:
    up = asyncio.get_running_loop().time()
    yard = Yard(tmp_path, settle=up / 2)  # a clock that runs for twice as long
    one = yard.entry()
    yard.record(one)
    yard.host.queue(("7", "COMPLETED", OURS, f"dipole.{OURS}"))
    await yard.look(5)
    assert one.end is None
    yard.record(one, ended=2.0, stage="command", code=3)
    await yard.look()
    assert one.end is not None
    assert one.end.exit.code == 3


async def test_a_cancelled_jobs_record_that_is_seen_late_is_waited_for(tmp_path: Path) -> None:
    """Else it would seem that its script never began."""
    up = asyncio.get_running_loop().time()
    yard = Yard(tmp_path, settle=up / 2)  # a clock that runs for twice as long
    one = yard.entry()
    yard.host.queue(("7", "CANCELLED", OURS, f"dipole.{OURS}"))
    await yard.look(2)
    assert one.end is None
    yard.record(one, ended=2.0, stage="command", code=143, signalled="TERM")
    await yard.look()
    assert one.end is not None
    assert one.end.exit.ended_by == "cancelled_there"


async def test_what_was_to_be_cancelled_and_never_began_is_so_at_once(tmp_path: Path) -> None:
    up = asyncio.get_running_loop().time()
    yard = Yard(tmp_path, settle=up / 2)
    one = yard.entry()
    one.kill = killed(one)
    yard.host.queue(("7", "CANCELLED", OURS, f"dipole.{OURS}"))
    await yard.look()
    assert one.end is not None
    assert one.end.exit.ended_by == "cancelled"


async def test_what_a_prologue_complains_about_hides_no_absence(tmp_path: Path) -> None:
    squeue = tmp_path / "squeue"
    squeue.write_text(
        "#!/bin/sh\necho 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"
    )
    squeue.chmod(0o700)
    prologue = f"echo connection to the site >&2; PATH={tmp_path}:$PATH"
    yard = Yard(tmp_path, LocalHost(os.environ), prologue)
    one = yard.entry()
    await yard.look()
    assert one.unseen == 1


class NoFolder(Shared):
    """Files for which there is no place there."""

    async def ready(self) -> None:
        raise Away("login: mkdir: cannot create directory '/scratch/ada': Permission denied")


async def test_a_cluster_on_which_no_file_has_a_place_stays_away(tmp_path: Path) -> None:
    """Its batch system answers, with no job of ours."""
    yard = Yard(tmp_path, files=NoFolder())
    yard.host.queue()
    for _ in range(3):
        assert not await yard.follower.look()
    assert not yard.reports
    assert "Permission denied" in yard.follower.trouble


OLD = "old:/scratch/ada/.solveyard"


class Elsewhere(Shared):
    """Files of which nothing can be seen but what the test says."""

    there = False

    async def witnesses(self, orders: Sequence[Order]) -> list[Witness]:
        return [Witness(None, (), there=self.there) for _ in orders]


@pytest.mark.parametrize("native_id", ["7", ""])
async def test_what_was_sent_to_another_host_and_is_seen_nowhere_is_neither_lost_nor_sent_again(
    tmp_path: Path, native_id: str
) -> None:
    files_there = Elsewhere()
    yard = Yard(tmp_path, files=files_there)
    one = yard.entry(native_id, sure=False)
    one.strays = OLD
    if not native_id:
        one.phase = Phase.UNKNOWN
    yard.host.queue()
    await yard.look(5)
    assert one.end is None
    assert yard.reports[1:] == [Stale(attempt=one.attempt)]
    assert yard.follower.blocked[one.attempt].startswith(f"{OLD} to be seen again")
    files_there.there = True
    await yard.look(5)
    assert yard.entries.get(one.attempt) is None or one.end is not None
    assert one.attempt not in yard.follower.blocked


async def test_what_was_sent_to_another_host_is_ours_once_its_batch_system_shows_it(
    tmp_path: Path,
) -> None:
    """Another login node of the same cluster."""
    yard = Yard(tmp_path, files=Elsewhere())
    one = yard.entry(sure=False)
    one.strays = OLD
    yard.host.queue(("7", "RUNNING", OURS, "x"))
    await yard.look()
    assert one.strays == ""
    assert Accepted(attempt=one.attempt, native_id="7") in yard.reports
    assert not any(isinstance(report, Stale) for report in yard.reports)
