"""A real sshd on this machine, for whoever runs the tests: its own keys, port and settings."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster.slurm import user
from conftest import alive, until
from ports import free_port

SSHD = shutil.which("sshd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
_RUN = Path("/run/sshd")  #: where a root's sshd wants an empty folder

_CONF = """\
{more}
Port {port}
ListenAddress {address}
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding local
PrintMotd no
LogLevel VERBOSE
"""

_CLIENT = """\
Host login
    HostName {address}
    Port {port}
    User {user}
Host gate
    HostName {address}
    Port {port}
    User {user}
Host behind
    HostName {address}
    Port {port}
    User {user}
    ProxyJump gate
Host *
    IdentityFile {folder}/key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
"""


def absent() -> list[str]:
    """What is not installed, or may not be had."""
    missing = [name for name in ("ssh", "ssh-keygen") if shutil.which(name) is None]
    if SSHD is None:
        missing.append("sshd")
    elif not _RUN.is_dir() and os.getuid() == 0:
        _RUN.mkdir(mode=0o755)
    return missing


class Sshd:
    """Sessions have `environment` beside their own, and a shell that greets them if it is bash.

    `config` is how clients come in by a key.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *,
        address: str = "127.0.0.1",
        within: Sequence[str] = (),
        more: str = "",
    ) -> None:
        """`within`: a command that becomes it; `more`: its settings, before ours."""
        self.folder = folder
        self.home = folder / "home"  #: of whoever comes in, not the tester's own with its settings
        self.address = address
        self.port = free_port()
        self.config = folder / "ssh_config"
        self.log = folder / "sshd.log"
        self._within = within
        self._more = more
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        for name in ("host_key", "key"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)],
                check=True,
            )
        shutil.copy(self.folder / "key.pub", self.folder / "authorized_keys")
        host_key = (self.folder / "host_key.pub").read_text()
        (self.folder / "known_hosts").write_text(f"[{self.address}]:{self.port} {host_key}")
        noise = self.folder / "noise.sh"
        noise.write_text("echo 'Welcome. Today: lentils.'\n")
        self.home.mkdir()
        environment = {**self._environment, "BASH_ENV": str(noise), "HOME": str(self.home)}
        told = " ".join(f'{name}="{value}"' for name, value in environment.items())
        more = f"SetEnv {told}\n{self._more}"
        place = {"folder": self.folder, "address": self.address, "port": self.port}
        (self.folder / "sshd_config").write_text(_CONF.format(**place, more=more))
        self.config.write_text(_CLIENT.format(**place, user=user()))

    def start(self) -> None:
        """Until it listens."""
        assert SSHD is not None
        with self.log.open("ab") as log:
            before = log.tell()
            self._process = subprocess.Popen(
                [*self._within, SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until(lambda: b"listening on" in self.log.read_bytes()[before:], "sshd listens")

    @property
    def logins(self) -> int:
        """How often somebody was let in."""
        return self.log.read_bytes().count(b"Accepted publickey")

    def sessions(self) -> list[int]:
        """The processes that serve connections."""
        assert self._process is not None
        told = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self._process.pid)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return [int(word) for word in told.stdout.split()]

    def cut(self) -> None:
        """It listens no more, and every connection is gone."""
        served = self.sessions() if self._process is not None else []
        self.stop()
        for pid in served:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None
