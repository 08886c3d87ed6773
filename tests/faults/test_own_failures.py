"""A part of the manager that fails where it must not: a fault of ours, put in on purpose."""

import subprocess
import sys

from solveyard.client.sync import Client
from solveyard.model.jobs import JobSpec, JobState

#: As `solveyard` with a fault in what sends launches.
FAULTY = """
import sys
from solveyard.manager import outbox
from solveyard.cli import main

async def fails(self, actions):
    raise ZeroDivisionError("put in on purpose")

outbox.Outbox._send = fails
sys.exit(main(sys.argv[1:]))
"""


def test_it_ends_in_a_sentence_and_the_next_one_runs_what_was_accepted(service, until, tmp_path):
    store = tmp_path / "store"
    argv = [sys.executable, "-c", FAULTY, "--store", str(store), "serve", "--port", "0"]
    faulty = subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        until((store / "manager.json").exists, "the manager is complete")
        with Client(store) as client:
            number = client.submit(JobSpec(solver="command", options={"argv": ["true"]})).number
        said = faulty.communicate(timeout=60)[1].decode()
    finally:
        faulty.kill()
        faulty.communicate()
    assert faulty.returncode == 3
    assert said.splitlines()[-1].startswith(
        "error: the manager failed: ZeroDivisionError('put in on purpose') (what runs goes on"
    )
    assert not (store / "manager.json").exists()
    with service().start().client as client:
        assert client.wait([str(number)], 60)
        assert client.job(str(number)).state is JobState.COMPLETED
