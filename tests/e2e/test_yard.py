"""Yard, as people use it: in scripts, threads, notebooks, and after somebody died."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

from solveyard import Yard
from solveyard.model.errors import (
    InvalidJob,
    InvalidRequest,
    ManagerUnavailable,
    StoreUnusable,
    UnknownJob,
)


@pytest.fixture
def store(tmp_path: Path, service) -> Path:
    """A store whose agent is ended after the test."""
    return service().store


def script(
    text: str, *arguments: object, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(text), *map(str, arguments)],
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_a_first_job_runs_and_tells_its_output(store):
    with Yard(store) as yard:
        job = yard.command(["sh", "-c", "echo out; echo err >&2; echo x > made"], name="first")
        record = job.wait(60)
        assert (record.state, record.reason, record.exit_code) == ("completed", "success", 0)
        assert (job.output(), job.output("stderr")) == ("out\n", "err\n")
        assert job.files() == ["made"]
        assert job.read("made") == b"x\n"
        assert yard.job("first").number == job.number


def test_a_job_is_followed_from_the_try_that_was_to_come_when_it_was_last_looked_at(store):
    with Yard(store) as yard:
        tries = ["sh", "-c", 'echo try $SOLVEYARD_TRY; [ "$SOLVEYARD_TRY" = 2 ]']
        job = yard.command(tries, retry={"tries": 2, "delay": 0})
        assert yard.wait([job], timeout=60)
        assert b"".join(job.follow()) == b"try 1\ntry 2\n"
        job.refresh()
        assert b"".join(job.follow()) == b"try 2\n"


def test_it_opens_no_port_and_says_where_it_is(store):
    with Yard(store) as yard:
        told = json.loads((store / "manager.json").read_text())
        assert told["url"].startswith("unix:")
        assert told["pid"] == os.getpid()
        assert len(told["spawner_pids"]) >= 1
        assert (store / "manager.json").stat().st_mode & 0o777 == 0o600
        listening = Path(f"/proc/{os.getpid()}/net/tcp").read_text().splitlines()[1:]
        inodes = {line.split()[9] for line in listening if line.split()[3] == "0A"}
        mine = {str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.exists()}
        assert not any(f"socket:[{inode}]" in mine for inode in inodes)
        assert yard.status()["machines"]
    assert not (store / "manager.json").exists()


async def test_it_works_inside_a_running_loop(store):
    with Yard(store) as yard:
        done = await asyncio.to_thread(yard.command(["true"]).wait, 60)
        assert done.state == "completed"
        assert yard.command(["true"]).wait(60).state == "completed"


def test_any_thread_may_use_it(store):
    ended = []
    with Yard(store) as yard:
        threads = [
            threading.Thread(
                target=lambda code=code: ended.append(
                    yard.command(["sh", "-c", f"exit {code}"]).wait(60).exit_code
                )
            )
            for code in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(ended) == list(range(8))


def test_a_bad_job_is_refused_with_words_and_nothing_is_taken(store):
    with Yard(store) as yard:
        with pytest.raises(InvalidJob, match="argv"):
            yard.submit("command", {"argv": "ls -l"})
        with pytest.raises(InvalidJob, match="no solver 'nosuch'"):
            yard.submit("nosuch", {})
        with pytest.raises(InvalidJob, match="2 of 2"):
            yard.submit_many([
                {"solver": "command", "options": {"argv": ["true"]}},
                {"solver": "command", "options": {"argv": []}},
            ])  # fmt: skip
        assert yard.jobs() == []


def test_a_job_may_be_waited_for_by_its_name_or_number(store):
    with Yard(store, cores=1) as yard:
        job = yard.command(["true"], name="one")
        for which in ("one", job.number, np.int64(job.number)):
            assert yard.wait(which, timeout=60)
        for nothing in ("two", 7):
            with pytest.raises(UnknownJob):
                yard.wait(nothing, timeout=60)
        with pytest.raises(InvalidRequest, match=r"by its name or number, not by 1\.5"):
            yard.wait(1.5, timeout=60)


def test_it_attaches_to_a_manager_that_runs(service):
    running = service().start()
    with Yard(running.store) as yard:
        job = yard.command(["true"])
        assert job.wait(60).state == "completed"
    assert running.client.job(job.number).state == "completed"
    assert running.process.poll() is None


def test_what_runs_outlives_the_process_and_the_next_yard_takes_it_up(store, tmp_path, until):
    gate = tmp_path / "gate"
    first = script(
        """
        import sys
        from solveyard import Yard
        with Yard(sys.argv[1], cores=1) as yard:
            wait = ["sh", "-c", "while [ ! -e " + sys.argv[2] + " ]; do sleep 0.05; done; exit 4"]
            running, waiting = yard.command(wait), yard.command(["sh", "-c", "exit 5"])
            while running.state != "running":
                pass
        """,
        store, gate,
    )  # fmt: skip
    assert first.wait(60) == 0, first.stderr.read()
    first.stdout.close(), first.stderr.close()
    gate.touch()
    with Yard(store, cores=1) as yard:
        assert yard.wait(timeout=60)
        assert [job.record.exit_code for job in reversed(yard.jobs())] == [4, 5]


def test_when_the_embedding_process_is_killed_another_yard_goes_on(store, until):
    first = script(
        """
        import sys, time
        from solveyard import Yard
        yard = Yard(sys.argv[1], cores=1)
        job = yard.command(["sleep", "0.3"], name="mine")
        print("ready", flush=True)
        time.sleep(600)
        """,
        store,
    )
    assert first.stdout.readline() == b"ready\n"
    with Yard(store, cores=1) as yard:  # a client, so far
        assert json.loads((store / "manager.json").read_text())["pid"] == first.pid
        first.send_signal(signal.SIGKILL)
        first.wait()
        first.stdout.close(), first.stderr.close()
        assert yard.job("mine").wait(60).state == "completed"
        assert json.loads((store / "manager.json").read_text())["pid"] == os.getpid()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows forks no process")
def test_a_forked_child_leaves_the_store_to_others_and_goes_on_with_their_manager(store):
    first = script(
        """
        import os, sys
        from solveyard import Yard
        from solveyard.model.errors import ManagerUnavailable
        yard = Yard(sys.argv[1], cores=1)
        yard.command(["true"]).wait(60)
        if os.fork():
            yard.close()
            print("closed", flush=True)
            os._exit(0)
        sys.stdin.readline()
        for ask in (yard.jobs, lambda: Yard(sys.argv[1])):
            try:
                ask()
            except ManagerUnavailable as error:
                print(error, flush=True)
        sys.stdin.readline()
        print(yard.command(["true"]).wait(60).state, flush=True)
        """,
        store, stdin=subprocess.PIPE,
    )  # fmt: skip
    assert first.stdout.readline() == b"closed\n"
    assert first.wait(60) == 0
    first.stdin.write(b"\n"), first.stdin.flush()
    for _ in range(2):
        told = first.stdout.readline().decode()
        assert told.startswith(f"no manager runs on the store {store}, and a process that was")
        assert "solveyard serve" in told
    with Yard(store, cores=1) as yard:
        yard.command(["true"]).wait(60)
        first.stdin.write(b"\n"), first.stdin.flush()
        assert first.stdout.readline() == b"completed\n"
        assert first.stdout.read() == b"", "the child has gone"
    for stream in (first.stdin, first.stdout, first.stderr):
        stream.close()


@pytest.mark.parametrize("how", ["close", "exit"])
def test_on_exit_drain_ends_what_runs(store, how, alive):
    text = """
        import sys
        from solveyard import Yard
        yard = Yard(sys.argv[1], on_exit="drain")
        job = yard.command(["sleep", "600"])
        while job.state != "running":
            pass
        print(job.record.attempts[-1].native_id)
        if sys.argv[2] == "close":
            yard.close()
        """
    first = script(text, store, how)
    out, errors = first.communicate(timeout=60)
    assert first.returncode == 0, errors
    assert not alive(int(out))
    with Yard(store) as yard:
        [job] = yard.jobs()
        assert (job.record.state, job.record.reason) == ("cancelled", "shutdown")


def test_a_closed_yard_says_so(store):
    yard = Yard(store)
    yard.close()
    yard.close()
    with pytest.raises(ManagerUnavailable, match="closed"):
        yard.jobs()


def test_a_job_waits_for_others_by_handle_name_or_number_and_is_tried_again(store, tmp_path):
    mark = tmp_path / "mark"
    with Yard(store) as yard:
        parts = yard.sweep(["sh", "-c", "exit {{code}}"], code=[0, 7], name="parts")
        last = yard.command(["true"], after=[parts[0], {"job": parts, "on": "end"}, "parts[0]"])
        alone = yard.command(["true"], after=parts.number)
        again = yard.command(["sh", "-c", f"[ -e {mark} ] || {{ touch {mark}; exit 1; }}"], retry=2)
        assert yard.wait([last, alone, again], 60)
        assert last.state == again.state == "completed"
        assert [one.job for one in last.record.after] == ["#1[0]", "#1", "parts[0]"]
        assert alone.refresh().reason == "dependency"
        assert len(again.record.attempts) == 2
        with pytest.raises(InvalidJob, match="nosuch"):
            yard.command(["true"], after="nosuch")
        with pytest.raises(InvalidJob, match="after"):
            yard.command(["true"], after=[None])


def test_jobs_are_found_by_a_pattern_of_their_names(store):
    with Yard(store) as yard:
        yard.submit_many([
            {"solver": "command", "options": {"argv": ["true"]}, "name": name, "hold": True}
            for name in ("filter-a", "filter-b", "Filter", "other")
        ])  # fmt: skip
        yard.command(["true"]).wait(60)
        assert [job.id for job in yard.jobs("filter*")] == ["filter-b", "filter-a"]
        assert [job.id for job in yard.jobs("?ilter")] == ["Filter"]
        assert len(yard.jobs()) == 5
        assert [job.id for job in yard.jobs("other", states=["held"])] == ["other"]
        with pytest.raises(InvalidRequest, match="states="):
            yard.jobs(["held"])


def test_a_sweep_of_neither_a_program_nor_a_solver_is_refused(store):
    with Yard(store) as yard:
        for wrong in (("./solve",), (["./solve"], {}), (None,), (b"./solve",)):
            with pytest.raises(InvalidJob, match="a program with its arguments as a list"):
                yard.sweep(*wrong, w=[1])
        with pytest.raises(InvalidJob, match="argv"):
            yard.sweep("command", {}, w=[1])


def test_a_command_that_is_no_list_is_refused(store):
    with Yard(store) as yard:
        for wrong in ("echo hi", b"echo", None, 5):
            with pytest.raises(InvalidJob, match="a program with its arguments as a list"):
                yard.command(wrong)
        assert yard.jobs() == []


def test_a_sweep_takes_fields_of_a_specification_as_such(store):
    with Yard(store) as yard:
        for fields, word in (
            ({"on": "slurm"}, "slurm"),
            ({"notify": ["nobody"]}, "nobody"),
            ({"hang": {"after": 0}}, "after"),
            ({"batch": {"queue": "not a name"}}, "queue"),
        ):
            with pytest.raises(InvalidJob, match=word):
                yard.sweep(["echo", "{{w}}"], w=[1, 2], **fields)
        for fields, words in (
            ({"w": "abc"}, "`w` must be a list of values, not 'abc'"),
            ({"w": [1], "time_limt": 5}, "did you mean 'time_limit'"),
        ):
            with pytest.raises(InvalidJob, match=words):
                yard.sweep(["echo", "{{w}}"], **fields)
        assert yard.jobs() == []
        sweep = yard.sweep(["echo", "{{w}}"], w=[1, 2], on="here", hang={"after": 60}, pin=True)
        assert sweep.record.tasks.total == 2


def test_an_array_is_gone_through_by_task_and_waited_for_alone(store):
    with Yard(store) as yard:
        sweep = yard.sweep(["echo", "{{w}}"], w=[5, 6, 7])
        for ask in (sweep.output, sweep.follow):
            with pytest.raises(InvalidRequest, match="is an array: its tasks have output"):
                ask()
        assert yard.wait(sweep, 60)
        assert [task.output() for task in sweep] == ["5\n", "6\n", "7\n"]
        held = yard.command(["true"], hold=True, name="held")
        assert not yard.wait(held, 0.01)
        assert not yard.wait("held", 0.01)
        assert yard.wait([sweep.number, f"{sweep.number}[1]", sweep[2]], 60)
        with pytest.raises(UnknownJob, match="nobody"):
            yard.wait(["held", "nobody"], 0)
        assert yard.wait(sweep[1], 0)


def test_a_store_that_can_not_be_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "store", "a\0b"):
        with pytest.raises(StoreUnusable, match="the store"):
            Yard(place)


def test_a_notebook_shows_tables_with_everything_escaped(store):
    yard = Yard(store)
    job = yard.command(["sh", "-c", "exit 3"], name="<script>&")
    job.wait(60)
    sweep = yard.sweep(["sh", "-c", "exit {{code}}"], code=[0, 1, 0], name="sweep")
    sweep.wait(60)
    for shown in (job, yard.jobs(), yard):
        html = shown._repr_html_()
        assert "<td>&lt;script&gt;&amp;</td>" in html
        assert "<script" not in html
        assert "<td>failed</td>" in html
        assert "<td>exit code 3</td>" in html
    assert "<td>3/3, 1 failed</td>" in sweep._repr_html_()
    assert "2 completed, 1 failed" in sweep._repr_html_()
    assert "2 completed, 2 failed" in yard._repr_html_()
    yard.close()
    assert "<td>failed</td>" in job._repr_html_()  # as it was
    assert "this Yard is closed" in yard._repr_html_()


def test_tags_that_several_add_at_once_are_all_there(store):
    def add(number: int) -> None:
        with yard.client() as client:
            for place in range(10):
                client.annotate("job", add_tags=[f"{number}-{place}"], remove_tags=["draft"])

    with Yard(store) as yard:
        job = yard.command(["true"], name="job", hold=True, tags=["draft"])
        threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wanted = {f"{number}-{place}" for number in range(4) for place in range(10)}
        assert sorted(job.refresh().tags) == sorted(wanted)


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_a_store_that_can_not_be_made_is_an_error_of_ours():
    with pytest.raises(StoreUnusable, match=r"cannot use the store in /proc/none: .* \(check"):
        Yard("/proc/none")
