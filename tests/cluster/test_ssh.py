"""Jobs for a Slurm behind a real sshd: nothing of ours is installed there, nothing is shared."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.jobs import ended, submit
from cluster.slurm import Slurm
from cluster.sshd import Sshd, absent
from conftest import Service

SETTINGS = """\
[clusters.slurm]
dialect = "slurm"
poll_min = 0.2
poll_max = 2
settle = 3
lost_after = 5
host = "{host}"
ssh_config = "{config}"
folder = "{folder}"
"""


@pytest.fixture(scope="module")
def sshd(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if missing := absent():
        pytest.skip(f"OpenSSH is not installed: there is no {', '.join(missing)}")
    one = Sshd(tmp_path_factory.mktemp("sshd"), {"SLURM_CONF": str(slurm.conf)})
    one.prepare()
    one.start()
    yield one
    one.cut()


Serving = Callable[..., Service]


@pytest.fixture
def serving(sshd: Sshd, tmp_path: Path) -> Iterator[Serving]:
    """A manager that knows the cluster by ssh alone."""
    made: list[Service] = []

    def make(more: str = "", host: str = "login") -> Service:
        config = tmp_path / "config.toml"
        config.write_text(
            SETTINGS.format(host=host, config=sshd.config, folder=tmp_path / "there") + more
        )
        made.append(Service(tmp_path / "store", environment={"SOLVEYARD_CONFIG": str(config)}))
        return made[-1].start()

    yield make
    for each in made:
        each.clean_up()


def test_a_job_goes_there_and_its_results_come_back(
    serving: Serving, sshd: Sshd, tmp_path: Path
) -> None:
    service = serving()
    work = tmp_path / "work"
    (work / "deep").mkdir(parents=True)
    (work / "deck.in").write_text("3 4\n")
    (work / "deep" / "large.bin").write_bytes(bytes(range(256)) * 4096)
    text = "pwd; read a b <deck.in; echo $((a * b)) >result; sha256sum deep/large.bin | tee sum"
    one = submit(service, text, directory=str(work))
    record = ended(service, one)
    assert record.state == "completed", record
    pwd, _ = service.client.log(one).content.decode().splitlines()
    assert pwd.startswith(str(tmp_path / "there" / "jobs"))
    assert (work / "result").read_text() == "12\n"
    assert len((work / "sum").read_text().split()[0]) == 64
    assert sshd.logins == 1
