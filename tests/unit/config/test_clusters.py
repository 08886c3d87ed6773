"""The tables [clusters.NAME]: the way to a cluster over SSH, and what may not stand there."""

from pathlib import Path

import pytest

from solveyard import clusters, config
from solveyard.backends.batch import ClusterOptions
from solveyard.config import Places, serving
from solveyard.model.errors import InvalidSettings

OVER_SSH = 'dialect = "slurm"\nhost = "ada@login"\n'


def options(folder: Path, text: str) -> ClusterOptions:
    file = folder / "config.toml"
    file.write_text(f"[clusters.hpc]\n{text}\n")
    file.chmod(0o600)
    return serving.clusters(config.load(Places(None, file, None), {}).settings)["hpc"]


def test_a_host_is_enough(tmp_path: Path) -> None:
    found = options(tmp_path, OVER_SSH)
    assert (found.host, found.folder, found.ssh_config) == ("ada@login", "~/.solveyard", None)
    assert (found.max_input, found.path_map, found.ssh_options) == (10 << 30, {}, {})


def test_options_of_ssh_are_written_as_toml_has_them(tmp_path: Path) -> None:
    said = 'ssh_options = { Port = 2222, Compression = true, ProxyJump = "a@b:22" }'
    found = options(tmp_path, OVER_SSH + said)
    assert found.ssh_options == {"Port": "2222", "Compression": "yes", "ProxyJump": "a@b:22"}
    login = clusters.login("hpc", found, tmp_path)
    opened = login.open(person=False)
    assert opened[-2:] == ["--", "ada@login"]
    for option in ("Port=2222", "ProxyJump=a@b:22", "BatchMode=yes", "ForwardAgent=no"):
        assert opened[opened.index(option) - 1] == "-o"


@pytest.mark.parametrize(
    "option",
    ["ProxyCommand", "LocalCommand", "PermitLocalCommand", "KnownHostsCommand", "PKCS11Provider",
     "SecurityKeyProvider", "Include", "ForwardAgent", "LocalForward", "RemoteForward", "SendEnv",
     "ControlPath", "RemoteCommand", "Match", "proxycommand"],
)  # fmt: skip
def test_what_runs_something_or_opens_a_port_may_not_be_said(tmp_path: Path, option: str) -> None:
    with pytest.raises(InvalidSettings, match=f"not '{option}'"):
        options(tmp_path, OVER_SSH + f'ssh_options = {{ {option} = "x" }}')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('host = "-oProxyCommand=x"', "expected a host for ssh"),
        ('host = "ada@lo gin"', "expected a host for ssh"),
        ('host = "a;b"', "expected a host for ssh"),
        ('host = "l"\nssh_options = { Port = "22\\nProxyCommand x" }', "plain value of Port"),
        ('host = "l"\nssh_options = { User = "$(id)" }', "plain value of User"),
        ('host = "l"\nfolder = "relative"', "expected an absolute path"),
        ('host = "l"\nfolder = "~/../x"', "expected an absolute path"),
        ('host = "l"\nfolder = "/a\\nb"', "expected an absolute path"),
        ('host = "l"\npath_map = { "work" = "/work" }', "expected an absolute path"),
        ('host = "l"\npath_map = { "/work" = "C:work" }', "expected an absolute path"),
        ('licences = ["a"]', "expected `licence_command` beside `licences`"),
        ('folder = "/scratch"', "expected `host` beside `folder`"),
    ],
)
def test_what_can_not_be_meant_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidSettings, match=words):
        options(tmp_path, f'dialect = "slurm"\n{text}')


def test_windows_hpc_is_not_reached_over_ssh(tmp_path: Path) -> None:
    found = options(tmp_path, OVER_SSH.replace("slurm", "winhpc"))
    with pytest.raises(InvalidSettings, match="can't be reached over SSH"):
        clusters.backends({"hpc": found}, (), "here", tmp_path)


@pytest.mark.parametrize(("said", "found"), [("", ["slurm"]), ("discover_clusters = false", [])])
def test_a_batch_system_that_no_table_names_can_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, found: list[str]
) -> None:
    program = tmp_path / "sbatch"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    file = tmp_path / "config.toml"
    file.write_text(f"{said}\n")
    file.chmod(0o600)
    told = serving.embedded(config.load(Places(None, file, None), {}), on_stop="leave")
    backends = clusters.backends({}, (), "here", tmp_path, discover=told.discover_clusters)
    assert list(backends) == found
