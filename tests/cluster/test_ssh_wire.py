"""Across a network namespace, whose wire is cut: no answer comes, and no refusal either."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.jobs import ended, running, submit
from cluster.over_ssh import Serving
from cluster.slurm import Slurm
from cluster.sshd import Sshd, absent
from conftest import until


class Wire:
    """Between this machine and a network namespace in which a manager can run."""

    def __init__(self) -> None:
        number = os.getpid() % 200 + 20
        self.here = f"10.213.{number}.1"
        self._there = f"10.213.{number}.2"
        self._link = f"sy{os.getpid()}"
        self._namespace = f"solveyard-{os.getpid()}"
        self.within = ("ip", "netns", "exec", self._namespace)

    def lay(self) -> str:
        """Why it can't be; "": it is there."""
        peer = f"{self._link}p"
        for command in (
            f"netns add {self._namespace}",
            f"link add {self._link} type veth peer name {peer}",
            f"link set {peer} netns {self._namespace}",
            f"addr add {self.here}/24 dev {self._link}",
            f"link set {self._link} up",
            f"-n {self._namespace} addr add {self._there}/24 dev {peer}",
            f"-n {self._namespace} link set {peer} up",
            f"-n {self._namespace} link set lo up",
        ):
            done = subprocess.run(
                ["ip", *command.split()], capture_output=True, text=True, check=False
            )
            if done.returncode:
                return f"ip {command}: {done.stderr.strip()}"
        return ""

    def cut(self) -> None:
        subprocess.run(["ip", "link", "set", self._link, "down"], check=True)

    def mend(self) -> None:
        subprocess.run(["ip", "link", "set", self._link, "up"], check=True)

    def remove(self) -> None:
        for command in (f"link del {self._link}", f"netns del {self._namespace}"):
            subprocess.run(["ip", *command.split()], capture_output=True, check=False)


@pytest.fixture
def wire() -> Iterator[Wire]:
    if os.getuid() != 0 or shutil.which("ip") is None:
        pytest.skip("no wire was cut: that takes root and iproute2")
    one = Wire()
    try:
        if why := one.lay():
            pytest.skip(f"no wire was cut: this machine lets nobody lay one ({why})")
        yield one
    finally:
        one.remove()


@pytest.fixture
def serving(slurm: Slurm, wire: Wire, tmp_path: Path) -> Iterator[Serving]:
    if missing := absent():
        pytest.skip(f"OpenSSH is not installed: there is no {', '.join(missing)}")
    folder = tmp_path / "sshd"
    folder.mkdir()
    sshd = Sshd(folder, {"SLURM_CONF": str(slurm.conf)}, address=wire.here)
    sshd.prepare()
    sshd.start()
    one = Serving(sshd, tmp_path)
    yield one
    wire.mend()
    one.clean_up()
    sshd.cut()


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
