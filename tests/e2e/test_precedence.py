"""The manager goes first where it may, and nothing that it starts does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from solveyard.backends import precedence
from solveyard.model.jobs import JobSpec

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it isn't a thread's")


@pytest.fixture
def _allowed() -> None:
    with precedence.held() as allowed:
        if not allowed:
            pytest.skip("going first takes root, CAP_SYS_NICE or RLIMIT_NICE")


def niceness(pid: int) -> int:
    """Of its first thread."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[16])


@pytest.mark.usefixtures("_allowed")
def test_the_manager_goes_first_and_neither_its_agent_nor_a_job_does(service, tmp_path) -> None:
    yard = service().start()
    with yard.client as client:
        job = client.submit(JobSpec(solver="command", options={"argv": ["nice"]}))
        assert client.wait([str(job.number)], 60)
        assert client.log(job.number).content == b"0\n"
    manager, *agent = map(niceness, yard.pids())
    assert manager == precedence.NICE
    assert agent == [0] * len(agent) != []


@pytest.mark.usefixtures("_allowed")
def test_what_is_started_has_an_ordinary_place_and_the_thread_gets_its_own_back() -> None:
    with precedence.held():
        with precedence.without(), precedence.without():
            inside = subprocess.run(["nice"], capture_output=True, check=True).stdout
        after = os.getpriority(os.PRIO_PROCESS, 0)
    assert (inside, after) == (b"0\n", precedence.NICE)
    assert os.getpriority(os.PRIO_PROCESS, 0) == 0


def test_who_has_chosen_a_value_keeps_it() -> None:
    script = (
        "from solveyard.backends import precedence; import os\n"
        "with precedence.held() as held: print(held, os.getpriority(os.PRIO_PROCESS, 0))\n"
        "print(os.getpriority(os.PRIO_PROCESS, 0))"
    )
    argv = ["nice", "-n", "3", sys.executable, "-c", script]
    assert subprocess.run(argv, capture_output=True, check=True).stdout == b"False 3\n3\n"
