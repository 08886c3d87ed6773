"""Ways into a cluster for which a person is needed once: a one-time password, asked for by PAM."""

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.jobs import ended, submit
from cluster.over_ssh import Serving, solveyard
from cluster.slurm import Slurm
from cluster.sshd import Sshd, absent
from conftest import Service, until

_CHECK = """\
#!/bin/sh
# A code counts once.
code=$(tr -d '\\0')
grep -qxF -- "$code" {codes} || exit 1
grep -vxF -- "$code" {codes} >{codes}.rest
mv {codes}.rest {codes}
"""
_PAM = """\
auth required pam_exec.so expose_authtok quiet {check}
auth required pam_permit.so
account required pam_permit.so
session required pam_permit.so
"""
_SETTINGS = """\
UsePAM yes
KbdInteractiveAuthentication yes
PermitRootLogin yes
AuthenticationMethods keyboard-interactive
"""


@pytest.fixture
def codes(tmp_path: Path) -> Path:
    """The codes that are good, one a line; it may be written."""
    place = tmp_path / "codes"
    place.write_text("271828\n314159\n")
    return place


@pytest.fixture
def asking(slurm: Slurm, codes: Path, tmp_path: Path) -> Iterator[Sshd]:
    """An sshd that lets in who types one of `codes`: with a PAM of its own, in its own mounts."""
    missing = [*absent(), *(name for name in ("unshare", "setsid") if not shutil.which(name))]
    if missing:
        pytest.skip(f"one-time passwords were not tried: there is no {', '.join(missing)}")
    if os.getuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("one-time passwords were not tried: only root may mount a PAM for a test")
    pam, check = tmp_path / "pam.d", tmp_path / "check"
    check.write_text(_CHECK.format(codes=codes))
    check.chmod(0o755)
    pam.mkdir()
    (pam / "sshd").write_text(_PAM.format(check=check))
    mounted = f'mount --bind {pam} /etc/pam.d && exec "$@"'
    folder = tmp_path / "sshd"
    folder.mkdir()
    one = Sshd(
        folder,
        {"SLURM_CONF": str(slurm.conf)},
        within=("unshare", "-m", "sh", "-c", mounted, "sh"),
        more=_SETTINGS,
    )
    one.prepare()
    one.start()
    yield one
    one.cut()


@pytest.fixture
def serving(asking: Sshd, tmp_path: Path) -> Iterator[Serving]:
    one = Serving(asking, tmp_path)
    yield one
    one.clean_up()


def typed(service: Service, prompt: bytes, *lines: str) -> tuple[int, str]:
    """Exit status and screen of `cluster connect`, on a terminal, `lines` typed as it asks."""
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "solveyard.cli", "--store", str(service.store)]
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command, "cluster", "connect", "slurm"],
        stdin=terminal, stdout=terminal, stderr=terminal, env=service.environment,
    )  # fmt: skip
    os.close(terminal)
    shown, waiting = b"", list(lines)
    try:
        while piece := os.read(screen, 1 << 16):
            shown += piece
            if waiting and shown.count(prompt) > len(lines) - len(waiting):
                os.write(screen, f"{waiting.pop(0)}\n".encode())
    except OSError:  # a terminal's end
        pass
    os.close(screen)
    return process.wait(60), shown.decode()


def test_a_one_time_password_is_typed_once_and_outlives_the_manager(
    serving: Serving, asking: Sshd, codes: Path
) -> None:
    service = serving()
    until(lambda: bool(service.client.cluster_status()[0].trouble), "it isn't let in")
    (told,) = service.client.cluster_status()
    assert told.trouble.endswith("(run `solveyard cluster connect slurm`)"), told
    one = submit(service, "echo 1 >result")
    status, screen = typed(service, b"Password:", "271828")
    assert (status, screen.rpartition("slurm: ")[2]) == (0, "connected to login\r\n"), screen
    assert ended(service, one).state == "completed"
    assert codes.read_text() == "314159\n"
    service.kill()
    service.start()
    assert ended(service, submit(service, "true")).state == "completed"
    assert asking.log.read_bytes().count(b"Accepted keyboard-interactive") == 1
    already = solveyard(service, "cluster", "connect", "slurm")
    assert already.stdout == "slurm: connected to login\n"
    assert codes.read_text() == "314159\n"


def test_a_wrong_password_is_refused_and_said(serving: Serving, codes: Path) -> None:
    service = serving()
    status, screen = typed(service, b"Password:", "000000", "000001", "000002")
    assert status == 3, screen
    assert "Permission denied" in screen
    assert "ssh could not connect to login (its words are above)" in screen
    assert codes.read_text() == "271828\n314159\n"
