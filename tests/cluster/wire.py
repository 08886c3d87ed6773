"""A wire between this machine and a network namespace, to be cut: no answer, and no refusal."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.over_ssh import Serving
from cluster.slurm import Slurm
from cluster.sshd import Sshd, absent


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


def laid() -> Iterator[Wire]:
    if os.getuid() != 0 or shutil.which("ip") is None:
        pytest.skip("no wire was cut: that takes root and iproute2")
    one = Wire()
    try:
        if why := one.lay():
            pytest.skip(f"no wire was cut: this machine lets nobody lay one ({why})")
        yield one
    finally:
        one.remove()


def serving_across(slurm: Slurm, wire: Wire, folder: Path) -> Iterator[Serving]:
    """By an sshd on this end."""
    if missing := absent():
        pytest.skip(f"OpenSSH is not installed: there is no {', '.join(missing)}")
    place = folder / "sshd"
    place.mkdir()
    sshd = Sshd(place, {"SLURM_CONF": str(slurm.conf)}, address=wire.here)
    sshd.prepare()
    sshd.start()
    one = Serving(sshd, folder)
    yield one
    wire.mend()
    one.clean_up()
    sshd.cut()
