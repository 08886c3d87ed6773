"""What real batch systems answered, where it lies beside the checkout."""

import json
import re

from recordings import FOLDER, answers, sessions, wanted
from solveyard.backends.dialects import lsf, pbs, slurm
from solveyard.backends.dialects.base import (
    Accepted,
    Answer,
    NativeState,
    Refused,
    State,
    Unknown,
    Unreadable,
)

pytestmark = wanted


def test_pbs_tells_its_waiting_and_running_jobs() -> None:
    (answer,) = answers("qstat -F json -t -f", "openpbs-1.txt")
    told = pbs.queried(answer)
    assert not isinstance(told, Unreadable)
    states = {one.partition(".")[0]: job.state for one, job in told.items()}
    assert states == {
        "2": State.RUNNING, "4": State.RUNNING, "5": State.HELD, "6[]": State.PENDING,
        **{f"6[{n}]": State.PENDING for n in range(4)}, "7": State.PENDING, "8": State.PENDING,
        "9": State.PENDING, "11": State.PENDING, "12": State.PENDING,
    }  # fmt: skip
    assert told["9.pbshost"].reason.startswith("Can Never Run: Insufficient amount of resource")


def test_no_part_of_what_pbs_wrote_says_anything() -> None:
    (answer,) = answers("qstat -F json -t -f", "openpbs-1.txt")
    for length in range(0, len(answer.stdout) - 2, 211):
        part = answer._replace(stdout=answer.stdout[:length])
        assert isinstance(pbs.queried(part), Unreadable)


def test_pbs_without_history_tells_nothing_of_what_is_over() -> None:
    (answer,) = answers("qstat -xf -F json", "openpbs-1.txt")
    assert isinstance(pbs.accounted(answer), Unreadable)


def test_pbs_tells_a_finished_job_by_its_history_alone() -> None:
    (gone,) = answers(r"qstat -f -F json 21\[\]\.pbshost", "openpbs-2.txt")
    assert gone.code == 35
    assert pbs.queried(gone) == {}
    (known,) = answers(r"qstat -xf -F json 14\.pbshost 9999", "openpbs-2.txt")
    told = pbs.accounted(known)
    assert not isinstance(told, Unreadable)
    assert [(one, job.state, job.code) for one, job in told.items()] == [
        ("14.pbshost", State.COMPLETED, 0)
    ]


def test_every_end_that_pbs_kept_is_read() -> None:
    rows = re.findall(r'^\["\d+.*\]$', (FOLDER / "openpbs-2.txt").read_text(), re.MULTILINE)
    jobs = {}
    for native_id, name, state, substate, status, _, runs, comment, _ in map(json.loads, rows):
        told = {"Job_Name": name, "job_state": state, "substate": substate, "run_count": runs or 0}
        told |= {"comment": comment or ""} | ({} if status is None else {"Exit_status": status})
        jobs[native_id] = told
    told = pbs.queried(Answer(0, json.dumps({"pbs_server": "s", "Jobs": jobs})))
    assert not isinstance(told, Unreadable)
    ends = {one.partition(".")[0]: (job.state, job.code) for one, job in told.items()}
    assert ends == {
        "14": (State.COMPLETED, 0), "15": (State.FAILED, 3), "16": (State.TIMEOUT, None),
        "17": (State.FAILED, 137), "18": (State.FAILED, 143), "19": (State.CANCELLED, None),
        "20": (State.CANCELLED, None), "21[]": (State.FAILED, None), "21[1]": (State.FAILED, 1),
        "22": (State.COMPLETED, 0), "23": (State.CANCELLED, None), "24": (State.COMPLETED, 0),
        "25": (State.FAILED, 1), "26": (State.COMPLETED, 0), "27": (State.COMPLETED, 0),
        "28": (State.FAILED, 254),
    }  # fmt: skip
    assert told["26.pbshost"].restarts == 1
    assert told["23.pbshost"].reason == "a dependency that can't be met"
    assert told["20.pbshost"].reason == ""


def test_submissions_to_pbs_end_as_they_did() -> None:
    ends = [
        pbs.submitted(answer)
        for command, answer in sessions("openpbs-1.txt")
        if re.search(r"(?:^|\| )qsub ", command)
    ]
    assert Accepted("0.pbshost") in ends
    assert Accepted("6[].pbshost") in ends
    assert [one for one in ends if not isinstance(one, Accepted)] == [
        Refused("qsub: Unknown queue")
    ]


def test_pbs_tells_its_queue() -> None:
    told = pbs.queues_told([
        *answers("qstat -f -F json -Q", "openpbs-1.txt"),
        *answers("qstat -B -f -F json", "openpbs-1.txt"),
        *answers("pbsnodes -a -F json", "openpbs-1.txt"),
    ])  # fmt: skip
    assert not isinstance(told, Unreadable)
    (work,) = told
    assert (work.name, work.up, work.default, work.nodes, work.cores) == ("workq", True, True, 1, 2)
    assert work.memory == 24684092 // 1024


def test_an_open_relative_of_lsf_tells_its_jobs() -> None:
    (answer,) = answers("bjobs -o 'jobid stat' -json", "lsf-like-1.txt")
    told = lsf.queried(answer)
    assert not isinstance(told, Unreadable)
    assert {one: job.state for one, job in told.items()} == {
        "3": State.RUNNING, "5": State.RUNNING, "13": State.RUNNING, "15": State.RUNNING,
        "16": State.RUNNING, "7": State.PENDING, "6": State.HELD,
    }  # fmt: skip
    for length in range(len(answer.stdout) - 2):
        assert isinstance(lsf.queried(Answer(0, answer.stdout[:length])), Unreadable)


def test_an_open_relative_of_lsf_says_what_it_does_not_know() -> None:
    (absent,) = answers("bjobs 9999", "lsf-like-1.txt")
    assert lsf.queried(absent) == {}
    (no_field,) = answers("bjobs -o 'jobid stat exit_code .*", "lsf-like-1.txt")
    assert no_field.code == 99
    assert isinstance(lsf.queried(no_field), Unreadable)


def test_submissions_to_an_open_relative_of_lsf_end_as_they_did() -> None:
    ends = {
        command: lsf.submitted(answer)
        for command, answer in sessions("lsf-like-1.txt")
        if re.search(r"(?:^|; )bsub ", command) and "-h" not in command
    }
    assert ends["bsub -J ok -o ok.%J.out 'exit 0'"] == Accepted("1")
    assert [one for one in ends.values() if not isinstance(one, Accepted)] == [
        Refused("nosuch: No such queue. Job not submitted."),
        Refused("Too many processors requested. Job not submitted."),
    ]


def test_history_of_an_open_relative_of_lsf_tells_how_jobs_ended() -> None:
    two, five = (answers(f"bhist -l {n}", "lsf-like-1.txt")[0] for n in (2, 5))
    both = Answer(0, two.stdout + two.stderr + five.stdout + five.stderr)
    assert lsf.accounted(both) == {
        "2": NativeState(State.FAILED, "EXIT", code=7, explains=False, mark=""),
        "5": NativeState(State.CANCELLED, "EXIT", mark=""),
    }


def test_hosts_of_an_open_relative_of_lsf_are_read() -> None:
    (hosts,) = answers("bhosts -w", "lsf-like-1.txt")
    table = "QUEUE_NAME STATUS\nnormal Open:Active\n"
    told = lsf.queues_told([Answer(0, table), hosts, Answer(127)])
    assert not isinstance(told, Unreadable)
    assert (told[0].cores, told[0].cores_free, told[0].nodes) == (8, 3, 1)


def test_accounting_of_slurm_is_read() -> None:
    rows = [row.split("|") for row in (FOLDER / "slurm_sacct.txt").read_text().splitlines()[1:]]
    text = "".join(
        "\x1f".join((row[0], row[3], row[4], "", "", "n1", "", "")) + "\n" for row in rows
    )
    told = slurm.accounted(Answer(0, f"{text}solveyard: that was all\n"))
    assert not isinstance(told, Unreadable)
    assert {one: (job.state, job.code, job.reason) for one, job in told.items()} == {
        "1": (State.FAILED, 3, ""), "3": (State.CANCELLED, None, "by 0"),
        "4": (State.FAILED, 3, ""), "6": (State.CANCELLED, None, "by 0"),
        "2_0": (State.COMPLETED, 0, ""), "2_1": (State.FAILED, 1, ""),
        "2_2": (State.FAILED, 2, ""), "5_0": (State.COMPLETED, 0, ""),
        "5_1": (State.FAILED, 1, ""), "5_2": (State.FAILED, 2, ""),
    }  # fmt: skip


def test_what_nobody_answered_in_slurms_faults_is_unknown() -> None:
    lines = (FOLDER / "slurm_faults.txt").read_text().splitlines()
    errors = [line for line in lines if line.startswith(("sbatch: error", "scancel: error"))]
    assert len(errors) == 3
    for line in errors:
        assert isinstance(slurm.submitted(Answer(1, "", line)), Unknown)
        assert isinstance(slurm.acted(Answer(8, "", line)), Unknown)
    queries = [line for line in lines if line.startswith("slurm_load_jobs error")]
    assert queries
    assert all(isinstance(slurm.queried(Answer(1, "", line)), Unreadable) for line in queries)


def test_what_slurm_refused_is_refused_in_its_words() -> None:
    text = (FOLDER / "slurm_states.txt").read_text()
    for name in ("badpart", "badmem"):
        match = re.search(rf"^{name} rc=1: ((?:.*\n){{2}})", text, re.MULTILINE)
        assert match
        assert isinstance(slurm.submitted(Answer(1, "", match[1])), Refused)


def test_every_state_and_reason_that_slurm_gave_is_known() -> None:
    """As `squeue` wrote them: states, then the reason, which may have blanks."""
    lines: list[tuple[str, str]] = []
    state = re.compile(r"[0-9_]+ (?:[a-z_0-9]+ )?([A-Z_]{6,}) (\S.*?)(?: n\S*)? *$")
    for name in ("slurm_states.txt", "slurm_states_after.txt"):
        for line in (FOLDER / name).read_text().splitlines():
            if match := state.match(line):
                lines.append((match[1], match[2]))
    for name in ("slurm_oom_cgroup.txt", "slurm_preempt.txt"):
        told = re.findall(r"[0-9]+:\w+:([A-Z_]+):(\w+)", (FOLDER / name).read_text())
        lines += [(word, reason) for word, reason in told]
    assert len(lines) > 100
    seen = {}
    for word, reason in lines:
        row = "\x1f".join(("7", word, "0", "0", "", "", "n1", reason, ""))
        told = slurm.queried(Answer(0, f"{row}\x1d\nsolveyard: that was all\n"))
        assert not isinstance(told, Unreadable)
        seen[word, reason] = told["7"].state
    assert State.UNKNOWN not in seen.values()
    assert seen["OUT_OF_MEMORY", "OutOfMemory"] is State.OUT_OF_MEMORY
    assert seen["PREEMPTED", "None"] is State.PREEMPTED
    assert seen["PENDING", "JobHeldUser"] is State.HELD
    assert seen["PENDING", "job requeued in held state"] is State.HELD
    assert seen["PENDING", "BeginTime"] is State.PENDING
    assert seen["COMPLETING", "TimeLimit"] is State.COMPLETING
    assert seen["NODE_FAIL", "NodeDown"] is State.NODE_FAILURE
    assert seen["CANCELLED", "DependencyNeverSatisfied"] is State.CANCELLED


def test_what_a_completion_log_of_slurm_says_is_read_as_squeue_would_have_it() -> None:
    """Its exit codes are "code:signal", squeue's a wait status."""
    line = re.compile(r"JobId=(\d+) .*JobState=(\w+) .* ExitCode=(\d+):(\d+)")
    rows = [
        line.match(one) for one in (FOLDER / "slurm_jobcomp_short.txt").read_text().splitlines()
    ]
    told = slurm.queried(
        Answer(0, "".join(
            "\x1f".join((row[1], row[2], str(int(row[3]) * 256 + int(row[4])), "0", *"--n--"))
            + "\x1d\n"
            for row in rows if row
        ) + "solveyard: that was all\n")
    )  # fmt: skip
    assert not isinstance(told, Unreadable)
    ends = {one: (job.state, job.code, job.signal) for one, job in told.items()}
    assert ends["2"] == (State.FAILED, 3, None)
    assert ends["7"] == (State.FAILED, None, 11)
    assert ends["9"] == (State.FAILED, 9, None)
    assert ends["5"] == (State.COMPLETED, 0, None)
    assert ends["26"] == (State.NODE_FAILURE, None, None)


def test_slurms_own_words_for_pbs_commands_are_no_pbs() -> None:
    """Its wrapper gives a bare id, and no JSON: a submission is understood, a question isn't."""
    text = (FOLDER / "slurm_torque.txt").read_text()
    assert pbs.submitted(Answer(0, text.splitlines()[1] + "\n")) == Accepted("1")
    assert isinstance(pbs.queried(Answer(0, text)), Unreadable)
