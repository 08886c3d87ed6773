"""A Slurm with what the other one lacks: accounting in a database, and memory limits by cgroups."""

import os
import shutil
import subprocess
from pathlib import Path

from cluster.slurm import NODES, SBIN, Slurm, free_ports, user
from conftest import until

MEMORY = Path("/sys/fs/cgroup/memory")
_DAEMON = """\
AuthType=auth/munge
AuthInfo=socket={sockets}/munge
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port}
CommunicationParameters=NoInAddrAny
SlurmUser={user}
LogFile={folder}/log/slurmdbd.log
PidFile={folder}/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
"""
CGROUP = """\
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
ConstrainRAMSpace=yes
AllowedSwapSpace=0
"""
_DATABASE = (
    "create database slurm; create user 'slurm'@'localhost' identified by 'slurm';"
    " grant all on slurm.* to 'slurm'@'localhost'"
)


def lacking() -> list[str]:
    """What it needs and isn't here."""
    programs = ("slurmdbd", "sacctmgr", "mariadbd", "mariadb-install-db", "mariadb")
    found = [name for name in programs if shutil.which(name, path=SBIN) is None]
    return found if os.access(MEMORY, os.W_OK) else [*found, "cgroups (v1) that may be written"]


class Accounted(Slurm):
    """It forgets its own jobs soon, and its accounting doesn't."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, keeps=2)

    def prepare(self) -> None:
        port = free_ports(NODES + 2)[-1]  # the others' are before it
        self._port = port
        self.instead = {
            "ProctrackType": "proctrack/cgroup",
            "TaskPlugin": "task/cgroup",
            "AccountingStorageType": "accounting_storage/slurmdbd",
            "AccountingStorageHost": "127.0.0.1",
            "AccountingStoragePort": str(port),
            "AccountingStoragePass": f"{self.sockets}/munge",
        }
        (self.folder / "cgroup.conf").write_text(CGROUP)

    def account(self) -> None:
        data, socket = self.folder / "mysql", self.sockets / "mysql"
        asked = ["--no-defaults", f"--datadir={data}", "--user=root"]
        made = ["mariadb-install-db", *asked, "--auth-root-authentication-method=normal"]
        subprocess.run([*made, "--skip-test-db"], check=True, capture_output=True, timeout=120)
        self.serve(
            "mariadbd", *asked, f"--socket={socket}", "--skip-networking",
            "--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900",
        )  # fmt: skip
        asking = ["mariadb", "--no-defaults", "-uroot", "-S", str(socket), "-e"]
        until(lambda: _works([*asking, "select 1"]), "the database answers")
        subprocess.run([*asking, _DATABASE], check=True, capture_output=True, timeout=60)
        config = self.folder / "slurmdbd.conf"
        place = {"folder": self.folder, "sockets": self.sockets}
        config.touch(mode=0o600)
        config.write_text(_DAEMON.format(port=self._port, user=user(), **place))
        self.environment["MYSQL_UNIX_PORT"] = str(socket)
        self.serve("slurmdbd", "-D")
        add = ["sacctmgr", "-i", "add"]
        until(lambda: _works([*add, "cluster", "testing"], self.environment), "slurmdbd answers")


def _works(argv: list[str], environment: dict[str, str] | None = None) -> bool:
    done = subprocess.run(argv, capture_output=True, check=False, timeout=60, env=environment)
    return done.returncode == 0
