"""A manager that knows a batch system by ssh alone: the tests' Slurm, where no other is said."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cluster.sshd import Sshd
from conftest import Service
from solveyard.places import runtime_folder

SETTINGS = """\
[clusters.{name}]
dialect = "{name}"
poll_min = 0.2
poll_max = 2
settle = 3
lost_after = 5
host = "{host}"
ssh_config = "{config}"
folder = "{folder}"
"""


class Serving:
    """Starts managers below one folder; what they send lies in `there`."""

    def __init__(self, sshd: Sshd, folder: Path, name: str = "slurm") -> None:
        """`name`: of the cluster and its dialect."""
        self.name = name
        self.sshd = sshd
        self.folder = folder
        self.there = folder / "there"
        self._made: list[Service] = []

    def __call__(
        self, more: str = "", *, host: str = "login", within: Sequence[str] = ()
    ) -> Service:
        """`more`: further settings; `within`: a command that runs it."""
        config = self.folder / "config.toml"
        place = {"name": self.name, "host": host, "config": self.sshd.config, "folder": self.there}
        config.write_text(SETTINGS.format(**place) + more)
        self._made.append(
            Service(
                self.folder / "store",
                environment={"SOLVEYARD_CONFIG": str(config)},
                within=within,
            )
        )
        return self._made[-1].start()

    def clean_up(self) -> None:
        """Its connections, too: they outlive a manager."""
        for each in self._made:
            each.clean_up()
        for socket in runtime_folder(self.folder / "store").glob("ssh-*[!g]"):
            close = ["ssh", "-F", "none", "-O", "exit", "-S", str(socket), "--", "login"]
            subprocess.run(close, capture_output=True, check=False, timeout=60)


def solveyard(service: Service, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*service.within, sys.executable, "-m", "solveyard.cli", "--store", str(service.store),
         *argv],
        env=service.environment, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
