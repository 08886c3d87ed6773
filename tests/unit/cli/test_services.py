"""`solveyard service`: the units that it writes, judged by systemd's own tools."""

import json
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from solveyard import serve
from solveyard.cli import main, systemd
from solveyard.manager import manager

GRACE = 30.0  #: s that a drain gives a job, by the documents

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `solveyard service ...` where one's own units are in `tmp_path / "units"`."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "units"))

    def command(*words: str, store: Path | None = None) -> tuple[int, str, str]:
        capfd.readouterr()
        given = ["--store", str(store)] if store is not None else []
        return main([*given, "service", *words]), *capfd.readouterr()

    return command


@pytest.fixture
def verified(tmp_path: Path) -> Callable[[str, bool], str]:
    """What `systemd-analyze verify` has to say about a unit; "": nothing."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")

    def verify(text: str, user: bool) -> str:
        place = tmp_path / "verified"
        place.mkdir(exist_ok=True)
        unit = place / "solveyard.service"
        unit.write_text(text)
        done = subprocess.run(
            [program, *(["--user"] if user else []), "verify", str(unit)],
            capture_output=True, text=True, check=False, env={"XDG_RUNTIME_DIR": str(tmp_path)},
        )  # fmt: skip
        lines = [line for line in done.stderr.splitlines() if "solveyard.service" in line]
        return "\n".join(lines) or ("" if done.returncode == 0 else done.stderr)

    return verify


def settings(text: str) -> list[tuple[str, str]]:
    return [
        (name, value)
        for name, equals, value in (line.partition("=") for line in text.splitlines())
        if equals and not name.startswith("#")
    ]


ACCOUNT = next(one.pw_name for one in pwd.getpwall() if 0 < one.pw_uid < 1000)


@pytest.mark.parametrize("on_stop", ["drain", "leave"])
@pytest.mark.parametrize("scope", [["--user"], ["--system", "--account", ACCOUNT]])
def test_systemd_finds_nothing_wrong_with_a_unit(run, verified, scope, on_stop) -> None:
    status, text, _ = run("show", *scope, "--on-stop", on_stop, "--cores", "2")
    assert status == 0
    assert verified(text, scope == ["--user"]) == ""
    nonsense = re.sub("KillMode=.*", "KillMode=nonsense", text)
    assert "nonsense" in verified(nonsense, scope == ["--user"])


def test_systemd_finds_a_program_whose_path_is_strange(
    run, verified, tmp_path, monkeypatch
) -> None:
    strange = tmp_path / "a b%c$HOME;"
    strange.mkdir()
    (strange / "python").symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(strange / "python"))
    status, text, _ = run("show", store=strange)
    assert status == 0
    assert verified(text, True) == ""
    assert "not executable" in verified(text.replace("%%", "%%%%"), True)
    monkeypatch.setattr(sys, "executable", '/opt/"/python')
    assert run("show")[0] == 2


def test_a_stop_ends_or_leaves_what_runs_as_serve_would(run) -> None:
    scope = ["--system", "--account", ACCOUNT]
    drain, leave = (dict(settings(run("show", *scope, *more)[1])) for more in (
        [], ["--on-stop", "leave"],
    ))  # fmt: skip
    assert (drain["KillMode"], leave["KillMode"]) == ("process", "process")
    assert '"--on-stop=drain"' in drain["ExecStart"]
    assert '"--on-stop=leave"' in leave["ExecStart"]
    assert drain["RuntimeDirectoryPreserve"] == "restart"
    assert leave["RuntimeDirectoryPreserve"] == "yes"
    assert "PrivateTmp" not in {*drain, *leave}


def test_a_drain_has_ended_before_systemd_loses_patience(run) -> None:
    text = run("show")[1]
    patience = float(dict(settings(text))["TimeoutStopSec"])
    assert patience > GRACE + manager._ENDING + serve._LEAVING


def test_nothing_is_forbidden_that_solvers_and_gpus_need(run) -> None:
    names = {name for name, _ in settings(run("show", "--system", "--account", ACCOUNT)[1])}
    assert {"Delegate", "TasksMax", "OOMPolicy", "StateDirectory", "RuntimeDirectory"} <= names
    assert not names & {
        "PrivateDevices", "DevicePolicy", "ProtectClock", "SystemCallFilter", "ProtectHome",
        "RestrictNamespaces", "MemoryDenyWriteExecute", "NoNewPrivileges", "PrivateNetwork",
        "ProtectControlGroups",
    }  # fmt: skip


def test_a_store_is_systemds_own_unless_one_is_given(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SOLVEYARD_HOME", "/root/mine")
    scope = ["--system", "--account", ACCOUNT]
    own, given = run("show", *scope)[1], run("show", *scope, store=tmp_path / "s t")[1]
    assert ("Environment", '"SOLVEYARD_HOME=%S/solveyard"') in settings(own)
    assert ("Environment", f'"SOLVEYARD_HOME={tmp_path}/s t"') in settings(given)
    assert ("Environment", "XDG_RUNTIME_DIR=%t/solveyard") in settings(own)
    assert "StateDirectory" not in dict(settings(given))
    mine = run("show")[1]
    assert ("Environment", '"SOLVEYARD_HOME=/root/mine"') in settings(mine)


def test_folders_are_written_in_full(run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = run("show", "--project-root", "a b", "--project-root=/c", "--allow", "command")[1]
    words = re.findall(r'"([^"]*)"', dict(settings(text))["ExecStart"])
    assert words[words.index("serve") + 1 :] == [
        "--on-stop=drain", "--allow=command", f"--project-root={tmp_path}/a b",
        "--project-root=/c",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["show", "--cores", "many"], "'--cores': 'many'"),
        (["show", "--on-stop", "never"], "--on-stop is leave or drain, not 'never'"),
        (["show", "--allow", "abacus"], "there is no solver 'abacus'"),
        (["show", "--idle-exit", "5q"], "'5q' is no duration"),
        (["install", "--bogus"], "--bogus"),
        (["show", "--system"], "--account NAME"),
        (["show", "--system", "--account", "nobody-of-this-name"], "there is no account"),
        (["show", "--account", "root"], "--account is for --system"),
        (["show", "--user", "--system"], "choose one of"),
        (["show", "--name", "../x"], "no name for a unit"),
        (["status", "--cores", "2"], "service status"),
        (["start"], "it is: service install"),
        (["uninstall"], "there is no unit"),
    ],
)
def test_what_serve_would_refuse_is_refused_at_once(run, tmp_path, words, why) -> None:
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert why in err
    assert not (tmp_path / "units").exists()


@pytest.fixture
def without_systemd() -> None:
    if systemd.booted():
        pytest.skip("systemd runs this machine, and would start the unit")


@pytest.mark.usefixtures("without_systemd")
def test_a_unit_is_written_replaced_and_removed(run, tmp_path) -> None:
    path = tmp_path / "units" / "systemd" / "user" / "yard.service"
    status, out, err = run("install", "--name", "yard", "--json")
    assert (status, json.loads(out)) == (
        0, {"success": True, "unit": str(path), "started": False},
    )  # fmt: skip
    assert err == "systemd does not run this machine: nothing was started\n"
    assert run("install", "--name", "yard", "--cores", "2")[0] == 0
    assert path.read_text() == run("show", "--name", "yard", "--cores", "2")[1]
    assert json.loads(run("show", "--name", "yard", "--json", "--cores", "2")[1]) == {
        "success": True, "unit": str(path), "text": path.read_text(),
    }  # fmt: skip
    assert run("status", "--name", "yard")[0] == 3
    assert run("uninstall", "--name", "yard")[0] == 0
    assert not path.exists()


@pytest.mark.usefixtures("without_systemd")
def test_somebody_elses_unit_stays_as_it_is(run, tmp_path) -> None:
    path = tmp_path / "units" / "systemd" / "user" / "solveyard.service"
    path.parent.mkdir(parents=True)
    path.write_text("[Service]\nExecStart=/bin/true\n")
    for what in ("install", "uninstall"):
        status, out, err = run(what)
        assert (status, out) == (4, "")
        assert "was not written by solveyard" in err
    assert path.read_text() == "[Service]\nExecStart=/bin/true\n"
    assert run("install", "--force")[0] == 0
    assert systemd.ours(path)


def test_the_commands_on_the_page_are_accepted(run) -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "run-as-a-service.md"
    lines = re.findall(r"solveyard service install( --[^#`\n]*)", page.read_text())
    assert len(lines) == 2
    for line in lines:
        words = ["show", *line.replace("--account solveyard", f"--account {ACCOUNT}").split()]
        assert run(*words)[0] == 0, line
