"""Whatever shell somebody has on a cluster, only a POSIX one reads what is sent there."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.sshd import Sshd, absent
from solveyard.backends.dialects.base import Call
from solveyard.backends.hosts.login import Login
from solveyard.backends.hosts.remote import Part, Remote, Step
from solveyard.backends.hosts.ssh import SshHost

NOISE = "echo 'Welcome. Today: lentils.'\n"


@pytest.fixture(params=["dash", "bash", "tcsh"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SshHost]:
    """An sshd that sees another /etc/passwd: root's shell is this one, and greets."""
    missing = [*absent(), *(name for name in (request.param, "unshare") if not shutil.which(name))]
    if missing:
        pytest.skip(f"{request.param} as a login shell was not tried: no {', '.join(missing)}")
    if os.getuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip(f"{request.param} as a login shell was not tried: only root may mount files")
    passwd = tmp_path / "passwd"
    mounted = f'mount --bind {passwd} /etc/passwd && exec "$@"'
    folder = tmp_path / "sshd"
    folder.mkdir()
    sshd = Sshd(folder, {}, within=("unshare", "-m", "sh", "-c", mounted, "sh"))
    sshd.prepare()
    for name in (".bashrc", ".tcshrc", ".cshrc", ".profile"):
        (sshd.home / name).write_text(NOISE)
    line = f"root:x:0:0::{sshd.home}:{shutil.which(request.param)}"
    passwd.write_text(
        re.sub("^root:.*$", line, Path("/etc/passwd").read_text(), flags=re.MULTILINE)
    )
    sshd.start()
    socket = str(tmp_path / "socket")
    login = Login(cluster="hpc", host="login", socket=socket, config=str(sshd.config))
    yield SshHost(login, dict(os.environ))
    sshd.cut()


async def test_commands_and_files_go_through_any_login_shell(host: SshHost, tmp_path: Path) -> None:
    words = ["!!", "!x", "a\nb", "'", '"', "$HOME `id`", "\\", "*", ""]
    answer = await host.run(Call(("sh", "-c", 'cat; printf "<%s>" "$@"', "sh", *words), "in "))
    assert answer == (0, "in " + "".join(f"<{word}>" for word in words), "")
    long = "x" * 100_000
    assert (await host.run(Call(("printf", "%s", long)))).stdout == long
    remote = Remote(host, "~/a folder/!of ours", "store")
    await remote.ready()
    assert remote.root == str(tmp_path / "sshd" / "home" / "a folder" / "!of ours")
    content = b"\0\xff\n" * 1000
    place = f"{remote.root}/jobs/file"
    await remote.put([Step("file", place, hashlib.sha256(content).hexdigest(), content=content)])
    assert await remote.read([Part(place, 1, 2999)]) == [content[1:]]
