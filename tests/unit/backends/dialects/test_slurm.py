"""Slurm's answers: as a real one (22.05) gave them, cut off anywhere, and in trouble."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.backends.dialects import slurm
from solveyard.backends.dialects.base import (
    Accepted,
    Answer,
    Done,
    NativeState,
    Refused,
    State,
    Unknown,
    Unreadable,
)
from unit.backends.dialects.examples import GOLDEN
from unit.backends.dialects.jobs import STORE

RECORDED = json.loads((GOLDEN / "slurm" / "recorded.json").read_text())
IDS = RECORDED.pop("ids")
ANSWERS = {name: Answer(**told) for name, told in RECORDED.items()}


def _states(name: str) -> Mapping[str, NativeState]:
    told = slurm.queried(ANSWERS[name])
    assert not isinstance(told, Unreadable)
    return told


@pytest.mark.parametrize(
    ("job", "state", "word", "reason", "code", "signal", "restarts"),
    [
        ("completed", State.COMPLETED, "COMPLETED", "", 0, None, 0),
        ("failed", State.FAILED, "FAILED", "NonZeroExitCode", 7, None, 0),
        ("shell_killed", State.FAILED, "FAILED", "JobLaunchFailure", None, 9, 0),
        ("held", State.HELD, "PENDING", "JobHeldUser", None, None, 0),
        ("cancelled", State.CANCELLED, "CANCELLED", "", None, None, 0),
        ("cancelled_waiting", State.CANCELLED, "CANCELLED", "JobHeldUser", None, None, 0),
        ("suspended", State.SUSPENDED, "SUSPENDED", "", None, None, 0),
        ("timeout", State.RUNNING, "RUNNING", "", None, None, 0),
        ("node_failure", State.NODE_FAILURE, "NODE_FAIL", "NodeDown", None, None, 0),
        ("preempted", State.PREEMPTED, "PREEMPTED", "", None, None, 0),
        ("requeued", State.REQUEUED, "PENDING", "BeginTime", None, None, 1),
        ("too_many_nodes", State.PENDING, "PENDING", "PartitionNodeLimit", None, None, 0),
        ("never", State.CANCELLED, "CANCELLED", "DependencyNeverSatisfied", None, None, 0),
    ],
)
def test_every_state_of_a_real_slurm_is_read(
    job: str, state: State, word: str, reason: str, code: int, signal: int, restarts: int
) -> None:
    told = _states("middle")[IDS[job]]
    assert told[:6] == (state, word, reason, code, signal, restarts)
    assert told.mark.startswith(f"{STORE}.7.")


def test_a_job_that_runs_into_its_limit_is_a_timeout() -> None:
    told = _states("end")[IDS["timeout"]]
    assert told[:5] == (State.TIMEOUT, "TIMEOUT", "TimeLimit", None, None)
    assert told.nodes == "n1"


def test_the_tasks_of_an_array_stand_each_for_itself() -> None:
    told = [_states("middle")[slurm.member(IDS["array"], position)] for position in range(5)]
    assert [(one.state, one.code) for one in told] == [
        (State.COMPLETED, 0), (State.FAILED, 1), (State.RUNNING, None), (State.RUNNING, None),
        (State.PENDING, None),
    ]  # fmt: skip
    assert {one.mark for one in told} == {f"{STORE}.7.100.1"}


def test_jobs_are_found_by_their_comments() -> None:
    found = slurm.found(ANSWERS["found"])
    assert not isinstance(found, Unreadable)
    assert found[f"{STORE}.7.1.1"] == [IDS["completed"]]
    assert found[f"{STORE}.7.100.1"] == [IDS["array"]]


def test_what_a_site_says_beside_it_hides_no_absence() -> None:
    absent = ANSWERS["unknown_id"]
    assert slurm.queried(absent._replace(stderr=f"loading slurm\n{absent.stderr}")) == {}
    away = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"
    assert isinstance(slurm.queried(absent._replace(stderr=absent.stderr + away)), Unreadable)
    assert isinstance(slurm.queried(absent._replace(stderr=f"x{absent.stderr}")), Unreadable)


def test_jobs_are_found_by_their_names_where_a_site_changes_comments() -> None:
    rows = f"8\x1fproject=x\x1ea.{STORE}.7.1.1\x1d\n9\x1f{STORE}.7.2.1\x1ex\x1d\n"
    found = slurm.found(Answer(0, f"{rows}solveyard: that was all\n"))
    assert found == {f"{STORE}.7.1.1": ["8"], f"{STORE}.7.2.1": ["9"]}


TYPED = ["a\nb", "\n12\n", "a\r\n\xff", "12\x1f13", "1\x1d\nb", "\n", "\x1f"]


@pytest.mark.parametrize("typed", TYPED)
def test_a_line_end_in_a_comment_or_a_name_hides_no_job(typed: str) -> None:
    """Anybody's: all jobs of a user are looked through."""
    mark = f"{STORE}.7.1.1"
    rows = [f"7\x1f{typed}\x1ex", f"8\x1fx\x1e{typed}", f"9\x1f{mark}\x1e{typed}"]
    told = "".join(f"{row}\x1d\n" for row in [*rows, f"10\x1f{typed}\x1ea.{mark}"])
    found = slurm.found(Answer(0, f"{told}solveyard: that was all\n"))
    assert found == {mark: ["9", "10"]}


@pytest.mark.parametrize("typed", TYPED)
def test_what_is_typed_into_a_comment_and_a_name_changes_no_state(typed: str) -> None:
    rows = [
        f"{one}\x1fRUNNING\x1f0\x1f0\x1f1\x1fN/A\x1fn1\x1fNone\x1f{typed}\x1e{typed}"
        for one in (7, 8)
    ]
    told = slurm.queried(Answer(0, "\x1d\n".join([*rows, "solveyard: that was all\n"])))
    assert not isinstance(told, Unreadable)
    assert [(one, job.state, job.mark) for one, job in told.items()] == [
        ("7", State.RUNNING, ""), ("8", State.RUNNING, ""),
    ]  # fmt: skip
    rows = [f"{one}\x1fFAILED\x1f3:0\x1f1\x1fUnknown\x1fn1\x1f{typed}\x1f{typed}" for one in (7, 8)]
    told = slurm.accounted(Answer(0, "\n".join([*rows, "solveyard: that was all\n"])))
    assert not isinstance(told, Unreadable)
    assert [(one, job.code) for one, job in told.items()] == [("7", 3), ("8", 3)]


def test_what_was_asked_for_and_is_not_there_is_told_as_absent() -> None:
    assert _states("unknown_id") == {}
    assert list(_states("unknown_and_known")) == [IDS["completed"]]


@pytest.mark.parametrize("name", ["middle", "end", "found", "queues", "unknown_and_known"])
@given(data=st.data())
def test_a_part_of_an_answer_says_nothing(name: str, data: st.DataObject) -> None:
    whole = ANSWERS[name]
    length = data.draw(st.integers(0, len(whole.stdout) - 1))
    part = whole._replace(stdout=whole.stdout[:length])
    assert isinstance(slurm.queried(part), Unreadable)
    assert isinstance(slurm.found(part), Unreadable)
    assert isinstance(slurm.queues_told([part]), Unreadable)


@given(st.text(), st.sampled_from([None, 0, 1, 127, 255]))
def test_garbage_says_nothing(text: str, code: int | None) -> None:
    for answer in (Answer(code, text), Answer(code, "", text)):
        assert isinstance(slurm.queried(answer), Unreadable)
        assert isinstance(slurm.found(answer), Unreadable)
        assert isinstance(slurm.accounted(answer), Unreadable)


@pytest.mark.parametrize(
    ("dependency", "never"),
    [
        ("afterok:1(failed)", True),
        ("afterok:4(unfulfilled),afterok:1(failed)", True),
        ("afterok:1(failed)?afterok:4(unfulfilled)", False),
        ("afterok:4(unfulfilled)", False),
        ("(null)", False),
    ],
)
def test_a_dependency_is_why_it_was_taken_out_though_its_nodes_were_away(
    dependency: str, never: bool
) -> None:
    """22.05 says so of a job that can't be met and whose nodes are down as it comes."""
    reason = "ReqNodeNotAvail, UnavailableNodes:n[1-4]"
    told = _row("CANCELLED", f"{reason}\x1e{dependency}")
    assert told.reason == ("DependencyNeverSatisfied" if never else reason)


def test_a_line_with_a_column_too_few_makes_the_whole_unreadable() -> None:
    lines = ANSWERS["middle"].stdout.splitlines(keepends=True)
    lines[2] = lines[2].replace("\x1f", "", 1)
    assert isinstance(slurm.queried(Answer(0, "".join(lines))), Unreadable)


def _row(word: str, reason: str = "None", status: str = "0", restarts: str = "0") -> NativeState:
    row = "\x1f".join(
        ["9", word, status, restarts, "1795828560", "1795828564", "n1", reason, "(null)"]
    )
    told = slurm.queried(Answer(0, f"{row}\x1d\nsolveyard: that was all\n"))
    assert not isinstance(told, Unreadable)
    return told["9"]


@pytest.mark.parametrize(
    ("word", "reason", "status", "state", "code", "signal"),
    [
        ("PENDING", "JobHeldAdmin", "0", State.HELD, None, None),
        ("PENDING", "job requeued in held state", "0", State.HELD, None, None),
        ("CONFIGURING", "None", "0", State.PENDING, None, None),
        ("COMPLETING", "TimeLimit", "15", State.COMPLETING, None, None),
        ("OUT_OF_MEMORY", "OutOfMemory", "125", State.OUT_OF_MEMORY, None, None),
        ("BOOT_FAIL", "None", "0", State.NODE_FAILURE, None, None),
        ("DEADLINE", "DeadLine", "0", State.TIMEOUT, None, None),
        ("FAILED", "RaisedSignal:11(Segmentation_fault)", "11", State.FAILED, None, 11),
        ("FAILED", "NonZeroExitCode", "35072", State.FAILED, 137, None),
        ("BRAND_NEW", "None", "0", State.UNKNOWN, None, None),
    ],
)
def test_rarer_states_are_read_too(
    word: str, reason: str, status: str, state: State, code: int | None, signal: int | None
) -> None:
    told = _row(word, reason, status)
    assert (told.state, told.code, told.signal, told.mark) == (state, code, signal, "")
    assert told.submitted == 1795828560.0
    assert told.ended == (1795828564.0 if state.over else None)


def test_a_cancelled_job_with_nodes_and_no_status_may_be_a_failed_prologs() -> None:
    assert not _row("CANCELLED").asked
    assert _row("CANCELLED", status="15").asked
    assert _row("COMPLETED").asked
    assert _states("middle")[IDS["cancelled"]].asked
    assert _states("middle")[IDS["cancelled_waiting"]].asked
    row = "3\x1fCANCELLED by 0\x1f0:0\x1f1\x1f5\x1f{}\x1f\x1fa\nsolveyard: that was all\n"
    for nodes, asked in ("n1", False), ("None assigned", True):
        told = slurm.accounted(Answer(0, row.format(nodes)))
        assert not isinstance(told, Unreadable)
        assert told["3"].asked is asked


def test_a_submission_has_three_ends() -> None:
    assert slurm.submitted(ANSWERS["submitted"]) == Accepted(IDS["completed"])
    assert slurm.submitted(Answer(0, "7;cluster\n")) == Accepted("7")
    assert slurm.submitted(ANSWERS["no_such_partition"]) == Refused(
        "invalid partition specified: nosuch; Batch job submission failed: "
        "Invalid partition name specified"
    )
    assert isinstance(slurm.submitted(ANSWERS["no_such_memory"]), Refused)


@pytest.mark.parametrize("queue", ["communication", "munge", "credentials", "timed out"])
def test_a_refusal_that_repeats_a_jobs_own_words_is_a_refusal(queue: str) -> None:
    words = (
        f"sbatch: error: invalid partition specified: {queue}\n"
        "sbatch: error: Batch job submission failed: Invalid partition name specified\n"
    )
    assert isinstance(slurm.submitted(Answer(1, "", words)), Refused)


def test_of_two_lines_the_last_tells_whether_it_was_heard() -> None:
    words = (
        "sbatch: error: invalid partition specified: big\n"
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller\n"
    )
    assert isinstance(slurm.submitted(Answer(1, "", words)), Unknown)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(1, "", "sbatch: error: Batch job submission failed: Socket timed out on send/recv"),
        Answer(1, "", "sbatch: error: Batch job submission failed: Unable to contact slurm"
                      " controller (connect failure)"),
        Answer(1, "", "sbatch: error: Batch job submission failed: Zero Bytes were transmitted"),
        Answer(1, "", "sbatch: error: slurm_load_ctl_conf error: Protocol authentication error"),
        Answer(None), Answer(1), Answer(0, ""), Answer(0, "Submitted"),
        Answer(-9, "", "slurm: loading\n"), Answer(137, "", "Killed\n"),
    ],
)  # fmt: skip
def test_a_submission_that_nobody_answered_is_unknown(answer: Answer) -> None:
    assert isinstance(slurm.submitted(answer), Unknown)


def test_what_was_asked_of_a_job_is_done_refused_or_unknown() -> None:
    assert slurm.acted(ANSWERS["cancel_finished"]) == Done()
    assert slurm.acted(ANSWERS["hold_finished"]) == Refused(
        f"Job has already finished for job {IDS['completed']};"
        " slurm_suspend error: Job has already finished"
    )
    gone = "scancel: error: Kill job error on job id 1: Unable to contact slurm controller"
    assert isinstance(slurm.acted(Answer(8, "", gone)), Unknown)


def test_partitions_are_told_with_all_their_nodes() -> None:
    told = slurm.queues_told([ANSWERS["queues"]])
    assert not isinstance(told, Unreadable)
    debug, *others = told
    assert (debug.name, debug.up, debug.default, debug.time_limit) == ("debug", True, True, None)
    assert (debug.nodes, debug.cores, debug.cores_free, debug.memory, debug.gpus) == (
        4, 32, 21, 2000, 8,
    )  # fmt: skip
    assert [(one.name, one.default, one.time_limit) for one in others] == [
        ("low", False, None), ("lowrq", False, None), ("high", False, 3600),
    ]  # fmt: skip


def test_groups_of_nodes_of_one_partition_are_added_up() -> None:
    rows = [
        "big\x1fdown\x1f2-00:30:00\x1f1/0\x1f8/0/0/8\x1f2000+\x1f(null)\x1f1",
        "big\x1fdown\x1f2-00:30:00\x1f0/2\x1f0/32/0/32\x1f1500\x1fgpu:a100:4(S:0-1),shard:8\x1f2",
        "solveyard: that was all\n",
    ]
    told = slurm.queues_told([Answer(0, "\n".join(rows))])
    assert not isinstance(told, Unreadable)
    (one,) = told
    assert (one.up, one.state, one.time_limit) == (False, "down", 2 * 86400 + 1800)
    assert (one.nodes, one.nodes_free, one.cores, one.cores_free) == (3, 2, 40, 32)
    assert (one.memory, one.gpus) == (1500, 8)


def test_accounting_tells_who_cancelled_and_no_more_than_it_knows() -> None:
    rows = [
        f"3\x1fCANCELLED by 1000\x1f0:15\x1f1795828560\x1f1795828564\x1fn1\x1f\x1fa.{STORE}.7.1.1",
        f"4\x1fFAILED\x1f3:0\x1fUnknown\x1fUnknown\x1fn1\x1f{STORE}.7.2.1\x1frenamed",
        "2_1\x1fOUT_OF_MEMORY\x1f0:125\x1fUnknown\x1fUnknown\x1fn2\x1f\x1fsomebody-elses",
        "2_[2-9%2]\x1fPENDING\x1f0:0\x1fUnknown\x1fUnknown\x1fNone assigned\x1f\x1fx",
        "solveyard: that was all\n",
    ]
    told = slurm.accounted(Answer(0, "\n".join(rows)))
    assert told == {
        "3": NativeState(
            State.CANCELLED, "CANCELLED by 1000", "by 1000", signal=15, nodes="n1",
            mark=f"{STORE}.7.1.1", submitted=1795828560.0, ended=1795828564.0,
        ),
        "4": NativeState(State.FAILED, "FAILED", code=3, nodes="n1", mark=f"{STORE}.7.2.1"),
        "2_1": NativeState(State.OUT_OF_MEMORY, "OUT_OF_MEMORY", nodes="n2", mark=""),
    }  # fmt: skip
    assert isinstance(slurm.accounted(ANSWERS["accounting_disabled"]), Unreadable)


def test_accounting_tells_of_tasks_that_were_cancelled_before_they_began() -> None:
    """In one row, as a real one wrote it, which may be older than a task's own."""
    rows = [
        f"12_0\x1fFAILED\x1f1:0\x1f1\x1f5\x1fn1\x1f\x1fa.{STORE}.7.1.1",
        "12_[0-1,3,10-20:5%2]\x1fCANCELLED by 0\x1f0:0\x1f1\x1f5\x1fNone assigned\x1f"
        f"\x1fa.{STORE}.7.1.1",
        "13_[0-30:2]\x1fPENDING\x1f0:0\x1f1\x1fUnknown\x1fNone assigned\x1f\x1fa",
        "14_[0-3,...]\x1fCANCELLED by 0\x1f0:0\x1f1\x1f5\x1fNone assigned\x1f\x1fa",
    ]
    told = slurm.accounted(Answer(0, "\n".join([*rows, "solveyard: that was all\n"])))
    assert not isinstance(told, Unreadable)
    cancelled = [f"12_{index}" for index in (1, 3, 10, 15, 20)]
    assert {one: job.state for one, job in told.items()} == {
        "12_0": State.FAILED, **dict.fromkeys(cancelled, State.CANCELLED),
    }  # fmt: skip
    assert all(told[one].mark == f"{STORE}.7.1.1" and told[one].asked for one in cancelled)


def test_accounting_is_asked_of_whole_arrays_and_for_what_is_read() -> None:
    argv = slurm.accounting(["12_0", "12_7", "13"]).argv
    assert argv[-1] == "12,13"
    others = argv[argv.index("-o") + 1].split(",")[3:]
    row = "\x1f".join(["12_0", "COMPLETED", "0:0", *others])
    told = slurm.accounted(Answer(0, f"{row}\nsolveyard: that was all\n"))
    assert not isinstance(told, Unreadable)
    assert told["12_0"].nodes == "NodeList"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("infinite", None), ("n/a", None), ("30:00", 1800), ("1:00:00", 3600), ("7-00:00:00", 604800)],
)
def test_times_are_read_as_slurm_prints_them(text: str, seconds: int | None) -> None:
    assert slurm.clock(text) == seconds
