"""Jobs for a Slurm behind a real sshd: nothing of ours is installed there, nothing is shared."""

import contextlib
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from cluster.jobs import ended, job, running, submit
from cluster.over_ssh import Serving, solveyard
from cluster.slurm import Slurm
from cluster.sshd import Sshd
from cluster.test_hfss import solve
from conftest import until
from solveyard.model.batch import BatchOptions
from solveyard.model.criteria import Pattern, SuccessCriteria
from solveyard.model.errors import BackendError, InvalidRequest
from solveyard.model.jobs import JobSpec

#: Its python3 is this one: a shim on PATH may not bear a shell that talks.
PYTHON3 = BatchOptions(prologue=f"PATH={Path(sys.executable).resolve().parent}:$PATH")


def folder(place: Path) -> Path:
    place.mkdir()
    return place


def sending(attempt: str) -> bool:
    """Does an sbatch run with its script?"""
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes() if entry.name.isdecimal() else b""
        except OSError:
            continue
        if line.startswith(b"sbatch\0") and f"{attempt}.sh".encode() in line:
            return True
    return False


def test_a_job_goes_there_and_its_results_come_back(
    serving: Serving, sshd: Sshd, tmp_path: Path
) -> None:
    before = sshd.logins
    service = serving()
    work = tmp_path / "work"
    (work / "deep").mkdir(parents=True)
    (work / "deck.in").write_text("3 4\n")
    (work / "deep" / "large.bin").write_bytes(bytes(range(256)) * 4096)
    text = "pwd; read a b <deck.in; echo $((a * b)) >result; sha256sum deep/large.bin | tee sum"
    one = submit(service, text, directory=str(work))
    record = ended(service, one)
    assert record.state == "completed", record
    pwd, _ = service.client.log(one).content.decode().splitlines()
    assert pwd.startswith(str(serving.there / "jobs"))
    assert (work / "result").read_text() == "12\n"
    assert len((work / "sum").read_text().split()[0]) == 64
    assert sshd.logins == before + 1


def test_a_folder_that_can_not_be_sent_keeps_no_other_job_back(
    serving: Serving, tmp_path: Path
) -> None:
    service = serving()
    ended(service, submit(service, "true"))  # so that the next ones go together
    folders = [folder(tmp_path / f"sweep{number}") for number in range(3)]
    (folders[1] / "note\n.txt").write_text("a name with a line end")
    with contextlib.suppress(BackendError):  # who submits may see it refused
        service.client.submit_many([job("echo 1 >result", directory=str(one)) for one in folders])
    told = [ended(service, number) for number in (2, 3, 4)]
    assert [record.state for record in told] == ["completed", "failed", "completed"]
    assert "its name isn't plain" in told[1].message
    assert [(one / "result").exists() for one in folders] == [True, False, True]


def test_output_and_files_are_read_while_it_runs_and_it_is_cancelled_there(
    serving: Serving, slurm: Slurm
) -> None:
    service = serving()
    text = "mkdir sub; echo 0123456789 >sub/data; ln -s /etc/passwd sub/link; echo first"
    one = submit(service, f"{text}; exec sleep 600")
    record = running(service, one)
    until(lambda: service.client.log(one).content == b"first\n", "its output is here")
    files = service.client.files(one)
    assert [(file.path, file.size) for file in files] == [("sub/data", 11)]
    assert b"".join(service.client.read_file(one, "sub/data")) == b"0123456789\n"
    with pytest.raises(InvalidRequest, match="no file"):
        list(service.client.read_file(one, "sub/link"))
    service.client.cancel(one)
    assert ended(service, one).state == "cancelled"
    assert slurm.state(record.scheduler_job_id) == "CANCELLED"
    assert [file.path for file in service.client.files(one)] == ["sub/data"]


def test_all_that_it_left_there_is_removed_once_its_end_is_known(
    serving: Serving, tmp_path: Path
) -> None:
    service = serving()
    ended(service, submit(service, "echo 1 >result"))
    until(lambda: not list((serving.there / "jobs").iterdir()), "nothing is left there")


def test_jobs_go_on_without_a_manager_and_their_results_are_brought_by_the_next(
    serving: Serving, tmp_path: Path
) -> None:
    service = serving()
    go = tmp_path / "go"
    waits = f"until [ -e {go} ]; do sleep 0.1; done; echo done >result; echo $SOLVEYARD_TRY"
    numbers = [submit(service, waits, directory=str(folder(tmp_path / f"w{i}"))) for i in (1, 2)]
    natives = [running(service, one).scheduler_job_id for one in numbers]
    service.kill()
    go.touch()
    jobs = serving.there / "jobs"
    until(lambda: len(list(jobs.glob("*/result"))) == 2, "both have ended")
    service.start()
    for one, native in zip(numbers, natives, strict=True):
        record = ended(service, one)
        assert (record.state, record.scheduler_job_id) == ("completed", native), record
        assert (tmp_path / f"w{one}" / "result").read_text() == "done\n"
        assert service.client.log(one).content == b"1\n"


def test_a_cut_wire_changes_no_job(serving: Serving, sshd: Sshd, tmp_path: Path) -> None:
    service = serving()
    go = tmp_path / "go"
    one = submit(service, f"until [ -e {go} ]; do sleep 0.1; done; echo 1 >result")
    running(service, one)
    sshd.cut()
    early = submit(service, "true")  # nobody knows yet
    until(lambda: service.client.job(one).stale_since is not None, "nobody answers")
    assert service.client.job(one).state == "running"
    waiting = submit(service, "true")
    (told,) = service.client.cluster_status()
    assert "cannot reach login" in told.trouble
    go.touch()
    sshd.start()
    for number in (one, early, waiting):
        record = ended(service, number)
        assert record.state == "completed", record
        assert len(record.attempts) == 1
    assert [file.path for file in service.client.files(one)] == ["result"]


def test_a_submission_whose_answer_is_cut_off_arrives_once(
    serving: Serving, sshd: Sshd, slurm: Slurm, tmp_path: Path
) -> None:
    service = serving()
    before = ended(service, submit(service, "true"))
    slurm.send("slurmctld", signal.SIGSTOP)  # it has the job, and can't say so
    hung = before.number + 1
    attempt = f"{before.attempts[0].id.split('.')[0]}.{hung}.0.1"
    with ThreadPoolExecutor() as thread:  # who submits one waits some seconds for its native id
        asked = thread.submit(submit, service, f"echo started >>{tmp_path}/marks")
        until(lambda: sending(attempt), "it is being sent")
        sshd.cut()
        assert asked.result() == hung
    until(lambda: service.client.job(hung).stale_since is not None, "nobody answers")
    slurm.send("slurmctld", signal.SIGCONT)
    sshd.start()
    assert ended(service, hung).state == "completed"
    assert slurm.submissions(attempt) != []
    assert (tmp_path / "marks").read_text() == "started\n"


def test_a_jump_host_of_the_ssh_configuration_is_used(serving: Serving, sshd: Sshd) -> None:
    before = sshd.logins
    service = serving(host="behind")
    assert ended(service, submit(service, "true")).state == "completed"
    assert sshd.logins == before + 2  # the gate, and what is behind it


def test_who_is_not_let_in_says_how_and_does_not_try_again_and_again(
    serving: Serving, sshd: Sshd
) -> None:
    service = serving('ssh_options = {PubkeyAuthentication = "no"}\n')
    until(lambda: bool(service.client.cluster_status()[0].trouble), "it wasn't let in")
    (told,) = service.client.cluster_status()
    assert "Permission denied" in told.trouble
    assert told.trouble.endswith("(run `solveyard cluster connect slurm`)")


def test_connecting_by_hand_opens_the_connection_that_the_manager_uses(
    serving: Serving, sshd: Sshd
) -> None:
    service = serving()
    ended(service, submit(service, "true"))
    before = sshd.logins
    assert solveyard(service, "cluster", "disconnect", "slurm").returncode == 0
    connected = solveyard(service, "cluster", "connect", "slurm")
    assert connected.stdout == "slurm: connected to login\n", connected
    assert ended(service, submit(service, "true")).state == "completed"
    assert sshd.logins <= before + 1
    assert solveyard(service, "cluster", "disconnect", "slurm").returncode == 0
    nobody = solveyard(service, "cluster", "connect", "lsf")
    assert nobody.returncode == 2
    assert "gives no" in nobody.stderr or "give no" in nobody.stderr


def test_a_mapped_folder_is_used_there_and_nothing_of_it_is_sent(
    serving: Serving, tmp_path: Path
) -> None:
    """Both names are of one folder: a file system that both sides see."""
    there = folder(tmp_path / "on-the-cluster")
    here = tmp_path / "work"
    here.symlink_to(there)
    (there / "deck.in").write_text("3 4\n")
    service = serving(f'path_map = {{"{here}" = "{there}"}}\n')
    one = submit(service, "pwd; cat deck.in >result", directory=str(here))
    assert ended(service, one).state == "completed"
    assert service.client.log(one).content.decode() == f"{there}\n"
    assert (there / "result").read_text() == "3 4\n"
    assert not list(here.glob(".*.part"))
    (note,) = (service.store / "output").glob("*/*.sent")
    assert '"sums": {}' in note.read_text()


def test_a_folder_on_a_windows_drive_is_used_under_its_name_there(
    serving: Serving, tmp_path: Path
) -> None:
    """Only the cluster and whoever submits see it; this machine reads it through ssh."""
    there = folder(tmp_path / "projects")
    service = serving(f"path_map = {{'P:\\antennas' = '{there}'}}\n")
    options = {"argv": ["sh", "-c", 'cat "$1" >result.txt; echo $1', "sh", "P:\\antennas\\a\\in"]}
    (there / "a").mkdir()
    (there / "a" / "in").write_text("deck\n")
    deck = Pattern(pattern="^deck$", source="result.txt")
    success = SuccessCriteria(files=("result.txt",), must_match=(deck,))
    one = submit(service, "", options=options, directory="p:/antennas/a", success=success)
    record = ended(service, one)
    assert record.state == "completed", record
    assert service.client.log(one).content.decode() == f"{there}/a/in\n"
    assert {file.path for file in service.client.files(one)} == {"in", "result.txt"}
    assert b"".join(service.client.read_file(one, "result.txt")) == b"deck\n"


def test_what_an_earlier_manager_left_there_is_removed_and_nothing_else(
    serving: Serving,
) -> None:
    """Where the store was restored from a copy, it knows less than what lies there."""
    service = serving()
    for _ in range(3):
        record = ended(service, submit(service, "true"))
    service.client.remove(3)
    store = record.attempts[0].id.partition(".")[0]
    jobs = serving.there / "jobs"
    until(lambda: not list(jobs.iterdir()), "nothing is left there")
    service.kill()
    folder(jobs / f"{store}.1.0.1")
    kept = [
        f"{store}.1.0.2.here",  # a later try
        f"{store}.1.0.11.kept",
        f"{store}.2.0.1.here",
        f"{store}.2.0.1.kept",
        f"{store}.3.0.2.out",  # it never came
        f"{store}.999.0.1.here",  # a later job
        f"{'f' * 32}.1.0.1.here",
        "notes",
    ]
    for name in ("1.0.1.out", "1.0.1.pyz", "1.0.1.here", "3.0.1.out", "3.0.1.here"):
        (jobs / f"{store}.{name}").touch()
    for name in kept:
        (jobs / name).touch()
    service.start()
    until(lambda: sorted(one.name for one in jobs.iterdir()) == sorted(kept), "only that is left")


def test_a_folder_there_that_the_settings_change_leaves_running_jobs_theirs(
    serving: Serving, tmp_path: Path
) -> None:
    service = serving()
    work, gate = folder(tmp_path / "work"), tmp_path / "gate"
    one = submit(
        service, f"until [ -e {gate} ]; do sleep 0.1; done; pwd >place", directory=str(work)
    )
    running(service, one)
    first = serving.there
    serving.there = tmp_path / "elsewhere"
    service.stop()
    service = serving()
    gate.touch()
    record = ended(service, one)
    assert record.state == "completed", record
    assert (work / "place").read_text().startswith(str(first / "jobs"))
    until(lambda: not list((first / "jobs").iterdir()), "nothing is left there")


@pytest.mark.skipif(not shutil.which("nec2c"), reason="no nec2c on PATH")
def test_nec_solves_there_by_the_programs_that_go_along(serving: Serving) -> None:
    """What makes its Touchstone file is ours, and nothing of ours is installed there."""
    service = serving()
    dipole = b'{"length":0.5,"radius":0.001,"segments":21}'
    options = b'{"dipole":%b,"frequencies":{"start":2e8,"stop":3e8,"points":3}}' % dipole
    spec = JobSpec(solver="nec", options=msgspec.Raw(options), on="slurm", batch=PYTHON3)
    numbers = [one.number for one in service.client.submit_many([spec] * 2)]
    for number in numbers:
        record = ended(service, number)
        assert record.state == "completed", record
        (file,) = [one.path for one in service.client.files(number) if one.path.endswith(".s1p")]
        assert len(b"".join(service.client.read_file(number, file)).splitlines()) == 4
    until(lambda: not list((serving.there / "jobs").iterdir()), "nothing is left there")


@pytest.fixture
def below_home(sshd: Sshd, tmp_path: Path) -> Iterator[Serving]:
    """With its `folder` there as it is where the settings say nothing."""
    one = Serving(sshd, tmp_path)
    one.there = Path("~/.solveyard")
    yield one
    one.clean_up()


def test_a_job_is_taken_before_anybody_knows_where_the_home_folder_there_is(
    below_home: Serving, sshd: Sshd
) -> None:
    sshd.cut()
    try:
        service = below_home()
        one = submit(service, 'echo "$0 $PWD"')
        why = "cluster slurm to answer (cannot reach login: "
        until(lambda: service.client.job(one).waiting.startswith(why), "it waits, and says why")
    finally:
        sshd.start()
    assert ended(service, one, 120).state == "completed"
    told = service.client.log(one).content.decode()
    assert str(sshd.home / ".solveyard" / "jobs") in told


def test_a_login_that_takes_long_is_told_where_a_job_waits_for_it(
    serving: Serving, sshd: Sshd
) -> None:
    """As a shell does whose start files wait for a lock, or for a file system."""
    start, held = sshd.home / ".bashrc", sshd.home / "held"
    start.write_text(f"while [ -e {held} ]; do sleep 0.1; done\n")
    service = serving()
    assert ended(service, submit(service, "true")).state == "completed"
    held.touch()
    try:
        one = submit(service, "true")
        by_hand = f"ssh -F {sshd.config} login true"
        silent = f"login has not answered for 1[0-9] s: try `{re.escape(by_hand)}`"
        until(
            lambda: (
                re.search(f"^slurm to take it.*{silent}", service.client.job(one).waiting)
                is not None
            ),
            "it is told",
        )
        assert re.search(silent, solveyard(service, "cluster").stderr)
    finally:
        held.unlink()
        start.unlink()
    assert ended(service, one).state == "completed"
    assert "has not answered" not in solveyard(service, "cluster").stderr


def test_a_solve_is_followed_by_its_own_log_and_judged_by_what_it_left(
    serving: Serving, tmp_path: Path
) -> None:
    """By the stand-in for ansysedt, whose log is a file beside the project."""
    service = serving()
    hangs = service.client.submit(solve(tmp_path / "one", "hang")).number
    solved = service.client.submit(solve(tmp_path / "two", "success")).number
    record = ended(service, solved)
    assert (record.state, record.reason, record.values["passes"]) == ("completed", "success", 5)
    assert (tmp_path / "two" / "projects" / "success.aedtresults" / "success.s1p").exists()

    def tells() -> bool:
        record = service.client.job(hangs)
        assert record.ended_at is None, record
        return record.progress is not None

    until(tells, "it tells its progress")
    service.client.cancel(hangs)
    assert ended(service, hangs).state == "cancelled"


def test_a_solve_in_charge_of_our_own_program_has_that_go_along(
    serving: Serving, tmp_path: Path
) -> None:
    service = serving()
    spec = solve(tmp_path, "success")
    options = {**msgspec.json.decode(spec.options), "min_disk_gb": 0.001}
    spec = replace(spec, options=msgspec.Raw(msgspec.json.encode(options)), batch=PYTHON3)
    record = ended(service, service.client.submit(spec).number)
    assert (record.state, record.values["passes"]) == ("completed", 5), record
    spec = replace(spec, options=msgspec.Raw(msgspec.json.encode({**options, "min_disk_gb": 9e5})))
    record = ended(service, service.client.submit(spec).number)
    assert (record.state, record.cause) == ("failed", "hfss.disk"), record


def test_a_result_that_can_not_come_is_told_and_stays_there(
    serving: Serving, tmp_path: Path
) -> None:
    service = serving()
    work, elsewhere = folder(tmp_path / "work"), folder(tmp_path / "elsewhere")
    (work / "out").symlink_to(elsewhere)
    text = "mkdir out; echo 1 >out/field; echo 2 >other"
    record = ended(service, submit(service, text, directory=str(work)))
    (told,) = [line for line in record.evidence if "could not come" in line]
    place = serving.there / "jobs" / record.attempts[0].id / "out" / "field"
    assert told == (
        "the result 'out/field' could not come: a link leads it out of the job's folder"
        f" (it is login:{place})"
    )
    assert (work / "other").read_text() == "2\n"
    assert not list(elsewhere.iterdir())
    ended(service, submit(service, "true"))
    service.kill()
    service.start()
    ended(service, submit(service, "true"))
    assert place.read_text() == "1\n"
