"""Across a network namespace, whose wire is cut: no answer comes, and no refusal either."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.jobs import ended, running, submit
from cluster.over_ssh import Serving
from cluster.slurm import Slurm
from cluster.wire import Wire, laid, serving_across
from conftest import until


@pytest.fixture
def wire() -> Iterator[Wire]:
    yield from laid()


@pytest.fixture
def serving(slurm: Slurm, wire: Wire, tmp_path: Path) -> Iterator[Serving]:
    yield from serving_across(slurm, wire, tmp_path)


def test_a_wire_that_is_cut_in_silence_changes_no_job(
    serving: Serving, wire: Wire, tmp_path: Path
) -> None:
    quick = "ssh_options = {ServerAliveInterval = 1, ServerAliveCountMax = 2, ConnectTimeout = 2}\n"
    service = serving(quick, within=wire.within)
    go = tmp_path / "go"
    waits = f"echo begun; until [ -e {go} ]; do sleep 0.1; done; echo 1 >result"
    runs, ends = submit(service, waits), submit(service, "sleep 2; echo 2 >result")
    running(service, runs)
    running(service, ends)
    wire.cut()
    until(lambda: service.client.job(runs).stale_since is not None, "nobody answers")
    waiting = submit(service, "echo 3 >result")
    until(lambda: "cannot reach" in service.client.cluster_status()[0].trouble, "it tries again")
    assert service.client.job(runs).state == "running"
    service.kill()
    service.start()
    assert [service.client.job(one).state for one in (runs, ends)] == ["running", "running"]
    go.touch()
    wire.mend()
    for one, content in ((runs, b"1\n"), (ends, b"2\n"), (waiting, b"3\n")):
        record = ended(service, one, 120)
        assert (record.state, len(record.attempts)) == ("completed", 1), record
        assert b"".join(service.client.read_file(one, "result")) == content
    assert service.client.log(runs).content == b"begun\n"
