"""LSF's answers: IBM's forms from its documents, and those of an open relative."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.backends.dialects import lsf, slurm
from solveyard.backends.dialects.base import (
    Accepted,
    Answer,
    BatchJob,
    Done,
    NativeState,
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
NO_FIELD = "<EXIT_CODE> in the format string is not a valid field name.\n"


def _text(*records: dict[str, str]) -> str:
    told = {"COMMAND": "bjobs", "JOBS": len(records), "RECORDS": list(records)}
    return json.dumps(told, indent="\t", separators=(",", ":\t")) + "\n"


def _ibm(stat: str, **more: str) -> dict[str, str]:
    """With every field that was asked for; what isn't set is empty, or a dash."""
    fields = {"EXEC_HOST": "", "EXIT_CODE": "", "EXIT_REASON": "-", "PEND_REASON": ""}
    return {"JOBID": "9", "STAT": stat, "JOB_NAME": f"dipole.{MARK}", **fields, **more}


def _one(record: dict[str, str]) -> NativeState:
    told = lsf.queried(Answer(0, _text(record)))
    assert not isinstance(told, Unreadable), told
    return told["9"]


@pytest.mark.parametrize(
    ("record", "state", "code"),
    [
        (_ibm("PEND", PEND_REASON="Job slot limit reached;"), State.PENDING, None),
        (_ibm("WAIT"), State.PENDING, None),
        (_ibm("PSUSP"), State.HELD, None),
        (_ibm("RUN", EXEC_HOST="n1"), State.RUNNING, None),
        (_ibm("USUSP"), State.SUSPENDED, None),
        (_ibm("SSUSP"), State.SUSPENDED, None),
        (_ibm("UNKWN"), State.UNKNOWN, None),
        (_ibm("ZOMBI"), State.UNKNOWN, None),
        (_ibm("DONE"), State.COMPLETED, 0),
        (_ibm("EXIT", EXIT_CODE="7"), State.FAILED, 7),
        (_ibm("EXIT", EXIT_CODE="140", EXIT_REASON="TERM_RUNLIMIT: job killed after reaching LSF"
              " run time limit"), State.TIMEOUT, None),
        (_ibm("EXIT", EXIT_CODE="137", EXIT_REASON="TERM_MEMLIMIT: job killed"),
         State.OUT_OF_MEMORY, None),
        (_ibm("EXIT", EXIT_CODE="130", EXIT_REASON="TERM_OWNER: job killed by owner"),
         State.CANCELLED, None),
        (_ibm("EXIT", EXIT_CODE="130", EXIT_REASON="TERM_PREEMPT: job killed"),
         State.PREEMPTED, None),
        (_ibm("EXIT", EXIT_REASON="TERM_UNKNOWN: LSF cannot determine a reason"),
         State.FAILED, None),
        (_ibm("NEW_ONE"), State.UNKNOWN, None),
    ],
)  # fmt: skip
def test_every_state_is_read(record: dict[str, str], state: State, code: int | None) -> None:
    told = _one(record)
    assert (told.state, told.word, told.code, told.mark) == (state, record["STAT"], code, MARK)


def test_reasons_and_nodes_are_told() -> None:
    assert _one(_ibm("PEND", PEND_REASON="Job slot limit reached;")).reason == (
        "Job slot limit reached;"
    )
    assert _one(_ibm("RUN", EXEC_HOST="4*n1:4*n2")).nodes == "4*n1:4*n2"


def test_a_relative_tells_less_and_its_done_has_no_exit_code() -> None:
    name = f"arr.{MARK}[2]"
    text = _text(
        {"JOBID": "7", "STAT": "EXIT", "JOB_NAME": name, "EXEC_HOST": "n1"},
        {"JOBID": "4", "STAT": "DONE", "JOB_NAME": f"sig.{MARK}", "EXEC_HOST": "-"},
    )
    told = lsf.queried(Answer(255, text, NO_FIELD + "Job <9999> is not found\n"))
    assert told == {
        "7[2]": NativeState(State.FAILED, "EXIT", nodes="n1", explains=False, mark=MARK),
        "4": NativeState(State.COMPLETED, "DONE", explains=False, mark=MARK),
    }
    assert lsf.member("7", 1) == "7[2]"
    assert lsf.found(Answer(0, text)) == {MARK: ["7", "4"]}


@pytest.mark.parametrize("host", ["-", ""])
def test_what_ends_where_it_waits_was_cancelled(host: str) -> None:
    """A relative has no word for that; a job that ran keeps its host."""
    told = _one({"JOBID": "9", "STAT": "EXIT", "JOB_NAME": f"a.{MARK}", "EXEC_HOST": host})
    assert told.state is State.CANCELLED
    told = _one({"JOBID": "9", "STAT": "EXIT", "JOB_NAME": f"a.{MARK}", "EXEC_HOST": "n1"})
    assert told.state is State.FAILED
    assert _one(_ibm("EXIT")).state is State.FAILED


@pytest.mark.parametrize("code", [0, 255])
@pytest.mark.parametrize(
    ("stdout", "stderr"),
    [
        ("", "Job <9999> is not found\n"),
        ("", NO_FIELD + "Job <9999> is not found\n"),
        ("", "Job <9999> is not found\nJob <9998[2]> is not found\n"),
        ("", "No job found\n"),
        ("", "loading lsf\nJob <9999> is not found\n"),
        (_text({"JOBID": "9", "ERROR": "Job <9> is not found"}), ""),
        (_text(), ""),
    ],
)
def test_a_job_that_lsf_says_is_not_there_is_gone(stdout: str, stderr: str, code: int) -> None:
    assert lsf.queried(Answer(code, stdout, stderr)) == {}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(None, _text(_ibm("RUN"))),
        Answer(0, ""),
        Answer(99, "", NO_FIELD),
        Answer(255, "", "LSF is down. Please wait ...\n"),
        Answer(255, "", "Job <9> is not found\nLSF is down. Please wait ...\n"),
        Answer(255, "", "Job <9> is not found\nJob <8>: no word of it\n"),
        Answer(0, _text(_ibm("RUN")), "batch daemon not responding ... still trying\n"),
        Answer(0, _text({"STAT": "RUN"})),
        Answer(0, _text({"JOBID": "9"})),
        Answer(0, '{"COMMAND": "bjobs", "JOBS": 2, "RECORDS": []}'),
        Answer(0, '{"COMMAND": "bjobs", "JOBS": 1, "RECORDS": ["x"]}'),
        Answer(0, "[]"),
    ],
)
def test_an_answer_in_trouble_says_nothing(answer: Answer) -> None:
    assert isinstance(lsf.queried(answer), Unreadable)
    assert isinstance(lsf.found(answer), Unreadable)


@given(st.data())
def test_a_part_of_an_answer_says_nothing(data: st.DataObject) -> None:
    text = _text(_ibm("RUN"), _ibm("EXIT", JOBID="10", EXIT_CODE="7"))
    part = text[: data.draw(st.integers(0, len(text) - 2))]
    assert isinstance(lsf.queried(Answer(0, part)), Unreadable)


@given(st.text())
def test_garbage_says_nothing(text: str) -> None:
    assert isinstance(lsf.queried(Answer(0, text)), Unreadable)
    assert not lsf.accounted(Answer(0, text))


HISTORY = f"""
Job <2>, Job Name <dipole.{MARK}>, User <sim>, Project <default>, Command <exit 
                     7>
Fri Nov 20 09:38:31: Submitted from host <h>, to Queue <normal>, CWD <$HOME>;
Fri Nov 20 09:38:33: Dispatched to <h>;
Fri Nov 20 09:38:33: Exited with exit co
                     de 7. The CPU time used is 0.0 seconds;

Summary of time in seconds spent in various states by  Fri Nov 20 09:38:33
  PEND     PSUSP    RUN      USUSP    SSUSP    UNKWN    TOTAL
  2        0        0        0        0        0        2           
------------------------------------------------------------------------------

Job <7[2]>, Job Name <a.{MARK}[2]>, User <sim>, Project <default>, Command <true>
Fri Nov 20 09:38:33: Done successfully. The CPU time used is 0.0 seconds;

Summary of time in seconds spent in various states by  Fri Nov 20 09:38:33
------------------------------------------------------------------------------

Job <8>, User <sim>, Project <default>, Command <sleep 300>
Fri Nov 20 09:38:35: Exited with exit code 140. The CPU time used is 0.0 seconds;
Fri Nov 20 09:38:35: Completed <exit>; TERM_RUNLIMIT: job killed after reaching LSF run
                     time limit;

Summary of time in seconds spent in various states by  Fri Nov 20 09:38:35
------------------------------------------------------------------------------

Job <9>, User <sim>, Project <default>, Command <sleep 300>
Fri Nov 20 09:38:33: Starting (Pid 7746);

Summary of time in seconds spent in various states by  Fri Nov 20 09:38:35
"""  # noqa: W291
ENDED = {
    "2": NativeState(State.FAILED, "EXIT", code=7, explains=False, mark=MARK),
    "7[2]": NativeState(State.COMPLETED, "DONE", code=0, mark=MARK),
    "8": NativeState(State.TIMEOUT, "EXIT", reason="TERM_RUNLIMIT", mark=""),
}


def test_history_tells_how_jobs_ended_across_its_broken_lines() -> None:
    assert lsf.accounted(Answer(0, HISTORY)) == ENDED


@given(st.integers(0, len(HISTORY)))
def test_a_part_of_history_tells_less_and_nothing_else(length: int) -> None:
    told = lsf.accounted(Answer(0, HISTORY[:length]))
    assert not isinstance(told, Unreadable)
    assert told.items() <= ENDED.items()


def test_a_submission_has_three_ends() -> None:
    accepted = Answer(0, "Job <7> is submitted to default queue <normal>.\n", "hello from a site\n")
    assert lsf.submitted(accepted) == Accepted("7")
    assert lsf.submitted(Answer(255, "", "nosuch: No such queue. Job not submitted.\n")) == Refused(
        "nosuch: No such queue. Job not submitted."
    )
    for answer in (
        Answer(None), Answer(0), Answer(255), Answer(255, "", "LSF is down. Please wait ...\n"),
        Answer(255, "", "Failed in an LSF library call: Communication time out."),
        Answer(-9, "", "loading lsf\n"), Answer(137, "", "Killed\n"),
    ):  # fmt: skip
        assert isinstance(lsf.submitted(answer), Unknown)


@pytest.mark.parametrize(
    "words",
    [
        "communication: No such queue. Job not submitted.",
        "connect: User cannot use the queue. Job not submitted.",
        "retrying: Bad host name, host group name or cluster name. Job not submitted.",
    ],
)
def test_a_refusal_that_repeats_a_jobs_own_words_is_a_refusal(words: str) -> None:
    assert isinstance(lsf.submitted(Answer(255, "", f"{words}\n")), Refused)


def test_what_was_asked_of_a_job_is_done_refused_or_unknown() -> None:
    assert lsf.acted(Answer(0, "Job <5> is being terminated\n")) == Done()
    assert lsf.acted(Answer(255, "", "Job <1>: Job has already finished\n")) == Refused(
        "Job <1>: Job has already finished"
    )
    assert isinstance(lsf.acted(Answer(None)), Unknown)


QUEUES = """\
QUEUE_NAME      PRIO STATUS          MAX JL/U JL/P JL/H NJOBS  PEND   RUN  SUSP  RSV
normal           30  Open:Active       -    -    -    -     5     0     4     0    1
night            40  Open:Inact        -    -    -    -     0     0     0     0    0
"""
HOSTS = """\
HOST_NAME          STATUS          JL/U    MAX  NJOBS    RUN  SSUSP  USUSP    RSV 
n1                 ok                 -      8      5      4      0      0      1
n2                 ok                 -     16      0      0      0      0      0
n3                 unavail            -      8      0      0      0      0      0
"""  # noqa: W291


def test_queues_are_told_with_all_hosts() -> None:
    told = lsf.queues_told([
        Answer(0, QUEUES), Answer(0, HOSTS), Answer(0, "Default Queues:  normal\n"),
    ])  # fmt: skip
    assert not isinstance(told, Unreadable)
    normal, night = told
    assert (normal.name, normal.up, normal.default) == ("normal", True, True)
    assert (normal.nodes, normal.nodes_free, normal.cores, normal.cores_free) == (3, 1, 24, 19)
    assert (night.up, night.state, night.default) == (False, "Open:Inact", False)
    assert isinstance(lsf.queues_told([Answer(255), Answer(0, HOSTS), Answer(0)]), Unreadable)


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (job(resources=Resources(cores=4)), "-n 4"),
        (job(resources=Resources(nodes=2, cores=4)), '-R "span[ptile=4]"'),
        (job(resources=Resources(nodes=2, cores=4)), "-n 8"),
        (job(time_limit=90.5), "-W 0:02"),
        (job(options=BatchOptions(time="36h")), "-W 36:00"),
        (job(resources=Resources(memory=100)), '-R "rusage[mem=100MB/host]"'),
        (job(options=BatchOptions(native=("-R select[ib || gpu]",))), '-R "select[ib || gpu]"'),
        (job(log="/a b/c"), '-o "/a b/c"'),
    ],
)  # fmt: skip
def test_a_directive_says_what_is_meant(one: BatchJob, line: str) -> None:
    assert line in directives(lsf.script(one), "#BSUB")


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (job(options=BatchOptions(nice=3)), "`batch.nice`: LSF has no word for it"),
        (job(options=BatchOptions(priority=0)), "`batch.priority` is 0; LSF takes 1 and more"),
        (job(warning=60.0), "`warning`: LSF warns before a limit; give one"),
        (job(log="/a/%J"), "`log`: LSF replaces what follows a '%'"),
    ],
)
def test_what_lsf_has_no_word_for_is_refused(one: BatchJob, message: str) -> None:
    with pytest.raises(InvalidJob) as caught:
        lsf.script(one)
    assert message in str(caught.value)


def test_no_directive_is_made_of_a_warning_that_is_no_signal() -> None:
    for dialect in (lsf, slurm):
        with pytest.raises(InvalidJob, match="is no signal's name"):
            dialect.script(job(time_limit=60.0, warning=5.0, warning_signal="USR1\nid\n#"))
