"""PBS's answers, in the forms that OpenPBS 23.06 gives them: whole, cut off, and in trouble."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.backends.dialects import pbs
from solveyard.backends.dialects.base import (
    Accepted,
    Answer,
    BatchJob,
    Done,
    Refused,
    State,
    Unknown,
    Unreadable,
)
from solveyard.model.batch import BatchOptions
from solveyard.model.errors import InvalidJob
from solveyard.model.resources import Resources
from unit.backends.dialects.jobs import STORE, directives, job

MARK = f"{STORE}.7.0.1"


def _text(jobs: dict[str, Any] | None, key: str = "Jobs") -> str:
    """As qstat writes: tabs, and nothing at all where there are no jobs."""
    told: dict[str, Any] = {"timestamp": 1795167446, "pbs_version": "23", "pbs_server": "s"}
    if jobs is not None:
        told[key] = jobs
    return json.dumps(told, indent="\t", separators=(",", ":\t")) + "\n"


def _job(state: str, **more: Any) -> dict[str, Any]:
    return {"Job_Name": f"dipole.{MARK}", "job_state": state, "queue": "workq", **more}


def _told(answer: Answer) -> dict[str, Any]:
    told = pbs.queried(answer)
    assert not isinstance(told, Unreadable), told
    return dict(told)


@pytest.mark.parametrize(
    ("told", "state", "code", "signal"),
    [
        (_job("Q", substate=10), State.PENDING, None, None),
        (_job("W", substate=30), State.PENDING, None, None),
        (_job("T", substate=0), State.PENDING, None, None),
        (_job("H", substate=20), State.HELD, None, None),
        (_job("R", substate=42, run_count=1), State.RUNNING, None, None),
        (_job("B", substate=10), State.RUNNING, None, None),
        (_job("S", substate=45), State.SUSPENDED, None, None),
        (_job("U", substate=45), State.SUSPENDED, None, None),
        (_job("E", substate=50, Exit_status=3), State.COMPLETING, None, None),
        (_job("Q", substate=10, run_count=2), State.REQUEUED, None, None),
        (_job("F", substate=92, Exit_status=0), State.COMPLETED, 0, None),
        (_job("F", substate=93, Exit_status=3), State.FAILED, 3, None),
        (_job("F", substate=93, Exit_status=143), State.FAILED, 143, None),
        (_job("F", substate=93, Exit_status=265), State.FAILED, None, 9),
        (_job("F", substate=93, Exit_status=-29), State.TIMEOUT, None, None),
        (_job("F", substate=93, Exit_status=-27), State.OUT_OF_MEMORY, None, None),
        (_job("F", substate=93, Exit_status=-1), State.FAILED, None, None),
        (_job("F", substate=91, Exit_status=271), State.CANCELLED, None, 15),
        (_job("F", substate=91), State.CANCELLED, None, None),
        (_job("F", substate=92), State.CANCELLED, None, None),
        (_job("X", substate=92, Exit_status=0), State.COMPLETED, 0, None),
        (_job("X", substate=92), State.ENDED, None, None),
        (_job("Z"), State.UNKNOWN, None, None),
    ],
)
def test_every_state_is_read(
    told: dict[str, Any], state: State, code: int | None, signal: int | None
) -> None:
    one = _told(Answer(0, _text({"9.s": told})))["9.s"]
    assert (one.state, one.word, one.code, one.signal) == (state, told["job_state"], code, signal)
    assert one.mark == MARK


def test_a_job_whose_dependency_cant_be_met_is_told_from_one_that_was_deleted() -> None:
    jobs = {"8.s": _job("F", substate=92), "9.s": _job("F", substate=91)}
    told = _told(Answer(0, _text(jobs)))
    assert "dependency" in told["8.s"].reason
    assert told["9.s"].reason == ""


def test_reasons_nodes_restarts_and_marks_are_told() -> None:
    waiting = _job("Q", comment="Not Running: Not enough free nodes available")
    running = _job(
        "R", run_count=3, exec_host="n1/0+n2/0", Job_Name="renamed",
        Variable_List={"PBS_O_HOME": "/h", "SOLVEYARD_ATTEMPT": MARK},
    )  # fmt: skip
    told = _told(
        Answer(0, _text({"6[1].s": waiting, "7.s": running, "8.s": _job("R") | {"Job_Name": "x"}}))
    )
    assert told["6[1].s"].reason == "Not Running: Not enough free nodes available"
    assert (told["7.s"].restarts, told["7.s"].nodes, told["7.s"].mark) == (2, "n1/0+n2/0", MARK)
    assert told["8.s"].mark == ""
    assert pbs.member("6[].s", 1) == "6[1].s"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (153, "qstat: Unknown Job Id 9999.s\n"),
        (35, "qstat: 9.s Job has finished, use -x or -H to obtain historical job information\n"),
    ],
)
def test_a_job_that_pbs_says_is_gone_is_gone_and_the_others_are_told(code: int, words: str) -> None:
    assert _told(Answer(code, _text(None), words)) == {}
    words = f"module: loading pbs\n{words}"
    assert list(_told(Answer(code, _text({"1.s": _job("R")}), words))) == ["1.s"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(0, _text(None), "qstat: PBS is not configured to maintain job history 0.s\n"),
        Answer(255, "", "Connection refused\nqstat: cannot connect to server s (errno=15010)\n"),
        Answer(153, _text({"1.s": _job("R")}), "qstat: Unknown Job Id 9.s\nqstat: End of File\n"),
        Answer(None, _text({"1.s": _job("R")})),
        Answer(0, _text({"1.s": {"Job_Name": "x"}})),
        Answer(0, _text({"1.s": _job("F", Exit_status="soon")})),
        Answer(0, "[]"),
        Answer(0, "{}"),
        Answer(0, ""),
    ],
)
def test_an_answer_in_trouble_says_nothing(answer: Answer) -> None:
    assert isinstance(pbs.queried(answer), Unreadable)
    assert isinstance(pbs.found(answer), Unreadable)
    assert isinstance(pbs.accounted(answer), Unreadable)


@given(st.data())
def test_a_part_of_an_answer_says_nothing(data: st.DataObject) -> None:
    text = _text({"1.s": _job("R"), "2.s": _job("F", substate=93, Exit_status=3)})
    part = text[: data.draw(st.integers(0, len(text) - 2))]
    assert isinstance(pbs.queried(Answer(0, part)), Unreadable)


@given(st.text())
def test_garbage_says_nothing(text: str) -> None:
    assert isinstance(pbs.queried(Answer(0, text)), Unreadable)
    assert isinstance(pbs.queues_told([Answer(0, text)] * 3), Unreadable)


def test_controls_that_some_versions_leave_in_a_text_are_read() -> None:
    text = _text({"1.s": _job("R", comment="a@b")}).replace("a@b", "a\tb")
    assert _told(Answer(0, text))["1.s"].reason == "a\tb"


def test_history_tells_of_what_is_over_alone() -> None:
    text = _text({"1.s": _job("R"), "2.s": _job("F", substate=93, Exit_status=3)})
    told = pbs.accounted(Answer(0, text))
    assert not isinstance(told, Unreadable)
    assert list(told) == ["2.s"]


def test_a_submission_has_three_ends() -> None:
    assert pbs.submitted(Answer(0, "0.s\n")) == Accepted("0.s")
    assert pbs.submitted(Answer(0, "6[].s.example.org\n")) == Accepted("6[].s.example.org")
    assert pbs.submitted(Answer(170, "", "qsub: Unknown queue\n")) == Refused("qsub: Unknown queue")
    for answer in (
        Answer(None), Answer(0), Answer(0, "welcome\n"), Answer(1),
        Answer(255, "", "qsub: cannot connect to server s (errno=15010)"),
        Answer(1, "", "qsub: Invalid credential"),
    ):  # fmt: skip
        assert isinstance(pbs.submitted(answer), Unknown)


@pytest.mark.parametrize(
    "words",
    [
        "qsub: Unknown resource Resource_List.connection",
        "qsub: submit error (Unknown queue MSG=cannot locate queue communication)",
    ],
)
def test_a_refusal_that_repeats_a_jobs_own_words_is_a_refusal(words: str) -> None:
    assert isinstance(pbs.submitted(Answer(170, "", f"{words}\n")), Refused)


def test_what_was_asked_of_a_job_is_done_refused_or_unknown() -> None:
    assert pbs.acted(Answer(0)) == Done()
    assert pbs.acted(Answer(35, "", "qdel: Job has finished 14.s\n")) == Refused(
        "qdel: Job has finished 14.s"
    )
    assert isinstance(pbs.acted(Answer(None, "", "")), Unknown)


def test_queues_are_told_with_the_nodes_that_serve_them() -> None:
    queues = {
        "workq": {"enabled": "True", "started": "True", "resources_max": {"walltime": "48:00:00"}},
        "gpu": {"enabled": "True", "started": "False"},
    }
    nodes = {
        "n1": {"state": "free", "resources_available": {"ncpus": 8, "mem": "16777216kb"},
               "resources_assigned": {"ncpus": 2}},
        "n2": {"state": "free", "resources_available": {"ncpus": 8, "mem": "8gb"},
               "resources_assigned": {}},
        "n3": {"state": "down,offline", "resources_available": {"ncpus": 8, "mem": "16gb"}},
        "g1": {"state": "free", "queue": "gpu",
               "resources_available": {"ncpus": 64, "mem": "256gb", "ngpus": 4}},
    }  # fmt: skip
    told = pbs.queues_told([
        Answer(0, _text(queues, "Queue")),
        Answer(0, _text({"s": {"default_queue": "workq"}}, "Server")),
        Answer(0, _text(nodes, "nodes")),
    ])  # fmt: skip
    assert not isinstance(told, Unreadable)
    work, gpu = told
    assert (work.up, work.default, work.time_limit) == (True, True, 48 * 3600)
    assert (work.nodes, work.nodes_free, work.cores, work.cores_free) == (3, 1, 24, 14)
    assert (work.memory, work.gpus) == (8192, 0)
    assert (gpu.up, gpu.default, gpu.nodes, gpu.gpus, gpu.memory) == (False, False, 1, 4, 262144)


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (job(resources=Resources(cores=4, memory=100)), "-l select=1:ncpus=4:mpiprocs=4:mem=100mb"),
        (job(resources=Resources(nodes=2, cores=4)), "-l select=2:ncpus=4:mpiprocs=4"),
        (
            job(resources=Resources(cores=8), options=BatchOptions(tasks_per_node=4)),
            "-l select=2:ncpus=4:mpiprocs=4",
        ),
        (job(options=BatchOptions(reservation="R7.s")), "-q R7.s"),
        (job(time_limit=90.5), "-l walltime=0:01:31"),
        (job(time_limit=5, options=BatchOptions(time="36h")), "-l walltime=36:00:00"),
        (job(array=True), "-J 0-1:2"),
    ],
)
def test_a_directive_says_what_is_meant(one: BatchJob, line: str) -> None:
    assert line in directives(pbs.script(one), "#PBS")


def test_no_limit_and_no_wish_are_no_directive() -> None:
    told = directives(pbs.script(job(options=BatchOptions(time="unlimited"))), "#PBS")
    assert not [line for line in told if "walltime" in line or line.startswith(("-q", "-p", "-A"))]


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (job(options=BatchOptions(qos="high")), "`batch.qos`: PBS has no word for it"),
        (job(options=BatchOptions(nice=3)), "`batch.nice`: PBS has no word for it"),
        (job(resources=Resources(disk=5)), "`resources.disk`: PBS has no word for it"),
        (job(options=BatchOptions(constraint="intel&ib")), "`batch.constraint`: 'intel&ib' isn't"),
        (job(options=BatchOptions(priority=5000)), "`batch.priority` is 5000; PBS takes -1024 to"),
        (job(options=BatchOptions(queue="a", reservation="b")), "`batch.reservation`: a"),
        (job(warning=60.0), "`warning`: PBS sends no signal before a limit"),
        (job(log="/a:b"), "`log`: PBS takes no ':' and '^' in a path"),
    ],
)  # fmt: skip
def test_what_pbs_has_no_word_for_is_refused(one: BatchJob, message: str) -> None:
    with pytest.raises(InvalidJob) as caught:
        pbs.script(one)
    assert message in str(caught.value)
