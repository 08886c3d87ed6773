"""Units for systemd, and what systemctl says about them.

Source: systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.kill(5).
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from solveyard.model.errors import ManagerUnavailable, SolveyardError

STOP_TIME = 45  #: s; a drain's 30 s of grace, and what it takes to end what is deaf to TERM
_MARK = "# Written by `solveyard service install`"
_PATIENCE = 120.0  #: s for one systemctl: a start may take 90, a stop `STOP_TIME`


class SystemdFailed(SolveyardError):
    """systemctl ended with an error, or can't be run."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One service: the store's manager, of an account or of the machine."""

    name: str  #: without ".service"
    account: str  #: that the machine's service runs under; empty: it's a service of one's own
    store: Path | None  #: None: systemd makes one in /var/lib
    options: Sequence[str]  #: of `serve`
    drain: bool  #: a stop ends what runs

    @property
    def path(self) -> Path:
        return folder(system=bool(self.account)) / f"{self.name}.service"

    def text(self) -> str:
        """The unit's file."""
        command = [sys.executable, "-P", "-m", "solveyard.cli", "serve", *self.options]
        store = f"%S/{self.name}" if self.store is None else _specified(str(self.store))
        lines = [
            f"{_MARK}; it may write this file anew: keep changes elsewhere (systemctl edit).",
            "[Unit]",
            "Description=solveyard, a job manager for simulations",
        ]
        if self.account:
            lines += ["Wants=network-online.target", "After=network-online.target"]
        if self.account and self.store is not None:
            lines += [f'RequiresMountsFor="{store}"']
        lines += [
            "",
            "[Service]",
            "Type=notify",
            # ":" keeps systemd from looking for variables in the words
            "ExecStart=:" + " ".join(f'"{_specified(word)}"' for word in command),
            f'Environment="SOLVEYARD_HOME={store}"',
            f"TimeoutStopSec={STOP_TIME}",
            "Restart=on-failure",
            "RestartSec=5",
            "RestartPreventExitStatus=2",
            "Delegate=yes",
            "OOMPolicy=continue",
            "TasksMax=infinity",
            # TERM is for the manager alone: it ends the jobs, or leaves them. By `mixed`, systemd
            # would kill them all where the manager has crashed.
            "KillMode=process",
        ]
        if self.account:
            lines += self._of_the_machine()
        target = "multi-user.target" if self.account else "default.target"
        return "\n".join([*lines, "", "[Install]", f"WantedBy={target}", ""])

    def _of_the_machine(self) -> list[str]:
        lines = [f"User={self.account}"]
        if self.store is None:
            lines += [f"StateDirectory={self.name}", "StateDirectoryMode=0700"]
        lines += [
            f"RuntimeDirectory={self.name}",
            "RuntimeDirectoryMode=0700",
            f"Environment=XDG_RUNTIME_DIR=%t/{self.name}",
            "ProtectSystem=full",
        ]
        # What goes on while the manager is away has the sockets and the /tmp that it began with: so
        # no PrivateTmp, which is made anew.
        return [*lines, f"RuntimeDirectoryPreserve={'restart' if self.drain else 'yes'}"]


def folder(*, system: bool) -> Path:
    """Where an administrator's, or one's own, units are."""
    if system:
        return Path("/etc/systemd/system")
    given = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(given) if given else Path.home() / ".config") / "systemd" / "user"


def ours(path: Path) -> bool:
    """Did we write it?"""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline().startswith(_MARK)


def booted() -> bool:
    """Is this machine run by systemd? Source: sd_booted(3)."""
    return Path("/run/systemd/system").is_dir()


def control(*words: str, system: bool) -> str:
    """What systemctl prints. Raises SystemdFailed; ManagerUnavailable where there's no systemd."""
    if not booted():
        raise ManagerUnavailable("systemd does not run this machine")
    argv = ["systemctl", *([] if system else ["--user"]), *words]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=_PATIENCE, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SystemdFailed(f"cannot run {' '.join(argv)}: {error}") from error
    if done.returncode != 0:
        raise SystemdFailed(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def _specified(word: str) -> str:
    """Inside double quotes, as systemd reads it: its escapes and its percent signs."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return word.replace("\n", "\\n").replace("\t", "\\t")
