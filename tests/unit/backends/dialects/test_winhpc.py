"""Windows HPC's `job`, as its documents describe it; nothing of it was ever run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.backends.dialects import record, winhpc
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
from unit.backends.dialects.jobs import STORE, job, run

MARK = f"{STORE}.7.0.1"
LIST = f"""
Id                : 41
Job Name          : dipole.{MARK}
State             : Running
Allocated Nodes   : N1,N2

Id                : 42
Job Name          : other
State             : Failed
Error Message     : Task 42.1 failed: exit code 3

2 matching jobs for HPC\\eve
solveyard: that was all
"""
TOLD = {
    "41": NativeState(State.RUNNING, "Running", nodes="N1,N2", mark=MARK),
    "42": NativeState(State.FAILED, "Failed", reason="Task 42.1 failed: exit code 3", mark=""),
}


def test_a_list_of_jobs_is_read() -> None:
    assert winhpc.queried(Answer(0, LIST)) == TOLD
    assert winhpc.queried(Answer(0, LIST.replace("\n", "\r\n"))) == TOLD
    assert winhpc.found(Answer(0, LIST)) == {MARK: ["41"]}
    assert winhpc.queried(Answer(0, "0 matching jobs\nsolveyard: that was all\n")) == {}


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("Configuring", State.PENDING), ("Submitted", State.PENDING), ("Validating", State.PENDING),
        ("ExternalValidation", State.PENDING), ("Queued", State.PENDING),
        ("Running", State.RUNNING), ("Finishing", State.COMPLETING),
        ("Canceling", State.COMPLETING), ("Finished", State.COMPLETED), ("Failed", State.FAILED),
        ("Canceled", State.CANCELLED), ("Fertig", State.UNKNOWN),
    ],
)  # fmt: skip
def test_every_documented_state_is_read(word: str, state: State) -> None:
    told = winhpc.queried(Answer(0, f"Id: 9\nState: {word}\nsolveyard: that was all\n"))
    assert told == {"9": NativeState(state, word)}


def test_a_list_without_all_that_it_counts_says_nothing() -> None:
    assert isinstance(
        winhpc.queried(Answer(0, LIST.replace("2 matching", "3 matching"))), Unreadable
    )


@given(st.integers(0, len(LIST) - 2))
def test_a_part_of_a_list_says_nothing(length: int) -> None:
    assert isinstance(winhpc.queried(Answer(0, LIST[:length])), Unreadable)


@given(st.text())
def test_garbage_says_nothing(text: str) -> None:
    assert isinstance(winhpc.queried(Answer(0, text)), Unreadable)
    assert isinstance(winhpc.queried(Answer(1, text)), Unreadable)


def test_a_submission_has_three_ends() -> None:
    accepted = "Job has been submitted. ID: 3490639.\r\n"
    assert winhpc.submitted(Answer(0, accepted)) == Accepted("3490639")
    assert winhpc.submitted(Answer(1, "", "The job template 'x' does not exist.")) == Refused(
        "The job template 'x' does not exist."
    )
    for answer in (Answer(None), Answer(0), Answer(1), Answer(1, "", "Unable to connect to HEAD")):
        assert isinstance(winhpc.submitted(answer), Unknown)
    assert winhpc.acted(Answer(0)) == Done()
    assert isinstance(winhpc.acted(Answer(1, "", "No such job")), Refused)


@pytest.mark.parametrize(
    ("one", "option"),
    [
        (job(resources=Resources(cores=4)), "/numcores:4-4"),
        (job(resources=Resources(nodes=2)), "/numnodes:2-2"),
        (job(time_limit=90.0), "/runtime:0:0:2"),
        (job(options=BatchOptions(time="unlimited")), "/runtime:Infinite"),
        (job(options=BatchOptions(native=("/scheduler:head",))), "/scheduler:head"),
    ],
)
def test_an_option_says_what_is_meant(one: BatchJob, option: str) -> None:
    assert option in winhpc.submit(one, "C:\\job.cmd").argv


def test_a_command_is_quoted_for_a_batch_file() -> None:
    argv = ("C:/Program Files/ansysedt.exe", "50%", "a&b", "c^d", "C:\\x y\\", "plain")
    text = winhpc.script(job(run("C:\\w", argv, env={"A": "%PATH%&calc"})))
    assert '\r\n"C:\\Program Files\\ansysedt.exe" "50%%" "a&b" "c^d" "C:\\x y\\\\" plain >>' in text
    assert '\r\nset "A=%%PATH%%&calc"\r\n' in text
    assert "\r\ncall solve.bat x >>" in winhpc.script(job(run("C:\\w", ("solve.bat", "x"))))


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (job(run("C:\\w", ("a", 'b"c'))), "`argv`: a batch file can't hold a line or quote"),
        (job(run("C:\\w", ("a", "b\nc"))), "`argv`: a batch file can't hold a line or quote"),
        (job(run("C:\\w", env={"A": 'x" & calc & "'})), "`env.A`: a batch file can't hold"),
        (job(run('C:\\"&calc&"')), "`record`: a batch file can't hold a line or quote"),
        (job(run("C:\\w", ("a.bat", "50%"))), "`argv`: a batch file can't be given '%' or '^'"),
        (job(options=BatchOptions(modules=("gcc",))), "`batch.modules`: Windows HPC has no word"),
        (job(resources=Resources(gpus=1)), "`resources.gpus`: Windows HPC has no word for it"),
        (job(options=BatchOptions(priority=5000)), "`batch.priority` is 5000; Windows HPC takes"),
        (job(array=True), "Windows HPC has no arrays"),
        (job(warning=5.0), "`warning`: Windows HPC sends no signal before a limit"),
    ],
)
def test_what_it_has_no_word_for_is_refused(one: BatchJob, message: str) -> None:
    with pytest.raises(InvalidJob) as caught:
        winhpc.submit(one, f"C:\\{winhpc.script(one)[:1]}.cmd")
    assert message in str(caught.value)


def test_its_exit_code_is_no_shells() -> None:
    """139 is what the program returned."""
    told = record.read('{"attempt":"a","native":"4","host":"N","stage":"command","code":139}', 0.0)
    assert isinstance(told, record.Record)
    assert told.signal == 11
    assert told._replace(shell=False).signal is None
    assert '"shell":false' in winhpc.script(job(run("C:\\w")))


@given(st.text(st.sampled_from('ab"%&|<>^!()\r\n\0 ') | st.characters(), max_size=20))
def test_no_text_ends_its_quotes(text: str) -> None:
    """Every quote in the script is ours: an even number in each line, and no line is new."""
    plain = winhpc.script(job(run("C:\\w", ("a.exe", "b"), env={"A": "c"}))).split("\r\n")
    try:
        script = winhpc.script(job(run("C:\\w", ("a.exe", text), env={"A": text})))
    except InvalidJob:
        return
    lines = script.split("\r\n")
    assert len(lines) == len(plain)
    assert all(line.count('"') % 2 == 0 for line in lines)
    assert "\n" not in script.replace("\r\n", "")
