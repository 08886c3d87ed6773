"""Settings: who overrides whom, what is locked, and what is said of mistakes."""

import json
import re
from pathlib import Path

import pytest

from solveyard import config
from solveyard.config import Given, Places
from solveyard.config.keys import PARAMETER, RESERVED, all_keys
from solveyard.model.errors import InvalidRequest, InvalidSettings
from solveyard.notify import payload

SOURCE = Path(__file__).parents[3] / "src"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "site.toml", tmp_path / "user.toml", tmp_path / "solveyard.toml")


def write(path: Path | None, text: str) -> None:
    assert path is not None
    path.write_text(text)
    path.chmod(0o644)


def why(places: Places, environment=None, given=None) -> str:
    with pytest.raises(InvalidSettings) as caught:
        config.load(places, environment or {}, given)
    return str(caught.value)


def test_each_layer_overrides_the_one_below_and_tells_where_it_was_set(places):
    layers = [
        (lambda: None, None, "default"),
        (lambda: write(places.site, "\n[limits]\nmax_concurrent = 1\n"), 1, "site.toml:3"),
        (lambda: write(places.user, "limits = { max_concurrent = 2 }\n"), 2, "user.toml:1"),
        (lambda: write(places.project, "# x\nlimits.max_concurrent = 3\n"), 3, "solveyard.toml:2"),
    ]
    for make, value, origin in layers:
        make()
        found = config.load(places, {})
        assert found.settings.limits.max_concurrent == value
        assert found.origin("limits.max_concurrent").endswith(origin)
    environment = {"SOLVEYARD_LIMITS__MAX_CONCURRENT": "4", "SOLVEYARD_PORT": ""}
    found = config.load(places, environment)
    assert found.settings.limits.max_concurrent == 4
    assert found.origin("limits.max_concurrent") == "SOLVEYARD_LIMITS__MAX_CONCURRENT"
    assert found.origin("port") == "default"
    given = {"limits.max_concurrent": Given("--max-concurrent", 5)}
    found = config.load(places, environment, given)
    assert found.settings.limits.max_concurrent == 5
    assert found.origin("limits.max_concurrent") == "--max-concurrent"


def test_a_line_is_found_behind_texts_and_lists_that_go_on(places):
    write(places.user, 'public_url = """\nport = 1\n"""\nallow = [\n  "command",\n]\nport = 2\n')
    found = config.load(places, {})
    assert found.settings.port == 2
    assert found.origin("port") == f"{places.user}:7"
    assert found.origin("allow") == f"{places.user}:4"


@pytest.mark.parametrize(
    ("text", "line", "parts"),
    [
        ("prot = 1", 1, ["`prot`", "did you mean 'port'"]),
        ("[resource]\nmemory = '4G'", 1, ["`resource`", "did you mean 'resources'?"]),
        ("[clusters.a]\nhost = 'x'", 1, ["`clusters.a` has no `dialect`, which it needs"]),
        ("[notify.a]\nonn = ['ended']", 2, ["`onn` in `notify.a`", "did you mean 'on'"]),
        ("\nmax_concurrent = 1", 2, ["`max_concurrent`", "'limits.max_concurrent'"]),
        ("[limits]\nmax_concurent = 1", 2, ["`limits.max_concurent`", "'limits.max_concurrent'"]),
        ('port = "8080"', 1, ["`port`", "whole number", "'8080'"]),
        ("port = 70000", 1, ["`port`", "65535", "70000"]),
        ("cores = 100001", 1, ["`cores`", "less than or equal to 100000", "100001"]),
        ("cores = true", 1, ["`cores`", "whole number", "True"]),
        ('on_stop = "stay"', 1, ["`on_stop`", "'leave' or 'drain'", "'stay'"]),
        ('project_roots = ["x"]', 1, ["`project_roots.0`", "an absolute path", "'x'"]),
        ("limits = 3", 1, ["`limits`", "3"]),
        ("[limits]\nmax_concurrent = 1979-05-27", 2, ["`limits.max_concurrent`", "1979-05-27"]),
        ('locked = ["port"]', 1, ["`locked`", "site's file"]),
        ("[secrets.X]\nenv = 'A'\nfile = '/b'", 1, ["`secrets.X`", '{env = "VARIABLE"}']),
        ("[secrets.X]\nenvy = 'A'\nenv = 'B'", 2, ["`envy`", "`secrets.X`"]),
    ],
)
def test_a_mistake_is_told_with_file_line_key_and_what_would_do(places, text, line, parts):
    write(places.user, text)
    told = why(places)
    assert told.startswith(f"{places.user}:{line}: ")
    for part in parts:
        assert part in told


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"port = ", "is not TOML"),
        (b"port = 1\nport = 2", "is not TOML"),
        (b"# \xff", "byte 2 is not UTF-8"),
        (b"#" * 70_000, "more than"),
        (b"x = " + b"[" * 5000, "is "),
    ],
)
def test_a_file_that_is_no_toml_is_named(places, content, part):
    places.user.write_bytes(content)
    told = why(places)
    assert told.startswith(str(places.user))
    assert part in told


def test_a_plain_secret_is_refused_and_not_repeated(places):
    write(places.user, '[secrets]\nLICENCE = "hunter2"\n')
    told = why(places)
    assert '{file = "/path"}' in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "text",
    [
        'host = "0.0.0.0"', 'allow = ["command"]', 'project_roots = ["/"]',
        'allowed_hosts = ["x"]', 'public_url = "http://x"', 'tls_key = "/k"',
        'tls_certificate = "/c"', 'secrets.X = {env = "HOME"}',
    ],
)  # fmt: skip
def test_a_projects_file_can_let_nobody_in_and_nothing_run(places, text):
    write(places.project, text)
    told = why(places)
    assert told.startswith(f"{places.project}:1: ")
    assert str(places.user) in told
    write(places.user, text)
    places.project.unlink()
    config.load(places, {})


def test_what_the_site_locks_nobody_below_can_set(places):
    write(places.site, 'host = "127.0.0.1"\n\nlocked = ["host", "limits"]\n')
    assert config.load(places, {}).locked("limits.max_concurrent") == f"{places.site}:3"
    assert config.load(places, {}).locked("port") == ""
    attempts = [
        (lambda: write(places.user, 'host = "::"'), {}, {}, f"{places.user}:1"),
        (lambda: None, {"SOLVEYARD_HOST": "::"}, {}, "SOLVEYARD_HOST"),
        (lambda: None, {}, {"host": Given("--host", "::")}, "--host"),
        (lambda: write(places.project, "limits.max_concurrent = 9"), {}, {}, f"{places.project}:1"),
    ]
    for make, environment, given, place in attempts:
        make()
        told = why(places, environment, given)
        assert place in told
        assert f"{places.site}:3" in told
        places.user.unlink(missing_ok=True)
        places.project.unlink(missing_ok=True)


def test_a_lock_on_nothing_is_an_error(places):
    write(places.site, 'locked = ["hosts"]')
    assert "did you mean 'host'" in why(places)
    write(places.site, 'locked = "host"')
    assert "expected a list" in why(places)


def test_a_users_files_cannot_replace_the_machines(tmp_path, monkeypatch):
    machine, other = tmp_path / "machine.toml", tmp_path / "other.toml"
    monkeypatch.setattr("solveyard.config.layers._site", lambda: machine)
    environment = {"SOLVEYARD_SITE_CONFIG": str(other), "SOLVEYARD_CONFIG": ""}
    assert Places.here(tmp_path, environment).site == other
    machine.write_text("")
    with pytest.raises(InvalidSettings, match="can't replace"):
        Places.here(tmp_path, environment)
    for ours in ({}, {"XDG_CONFIG_DIRS": str(tmp_path), "SOLVEYARD_CONFIG": ""}):
        assert Places.here(tmp_path, ours).site == machine


def test_a_projects_folder_has_to_be_there(tmp_path):
    with pytest.raises(InvalidSettings, match="gone is no folder"):
        Places.here(tmp_path / "gone", {})


def test_a_file_that_was_named_has_to_be_there(tmp_path):
    places = Places.here(tmp_path, {"SOLVEYARD_CONFIG": str(tmp_path / "none.toml")})
    assert str(tmp_path / "none.toml") in why(places)


def test_settings_that_everybody_may_write_are_refused(places):
    write(places.user, "port = 1")
    places.user.chmod(0o646)
    assert f"chmod o-w {places.user}" in why(places)


def test_variables_are_lists_and_unknown_ones_are_errors(places):
    environment = {"SOLVEYARD_ALLOW": "command, nec", "SOLVEYARD_PROJECT_ROOTS": '["/a,b"]'}
    found = config.load(places, environment).settings
    assert found.allow == ("command", "nec")
    assert found.project_roots == (Path("/a,b"),)
    assert "did you mean 'SOLVEYARD_PORT'" in why(places, {"SOLVEYARD_PROT": "1"})
    assert why(places, {"SOLVEYARD_PORT": "x"}).startswith("SOLVEYARD_PORT: `port`")
    assert "JSON" in why(places, {"SOLVEYARD_ALLOW": "[x"})


def test_a_jobs_own_variables_set_nothing(places):
    inside = {"SOLVEYARD_ATTEMPT": "a.1.0.1", "SOLVEYARD_CORES": "7"}
    assert config.load(places, inside).settings.cores is None
    assert config.load(places, {"SOLVEYARD_CORES": "7"}).settings.cores == 7


def test_a_notices_variables_set_nothing(places):
    content = json.dumps({"id": "n", "event": {"type": "job.ended"}, "text": "a"})
    assert (
        config.load(places, payload.variables(content)).settings == config.load(places, {}).settings
    )


def test_every_variable_that_the_program_knows_is_reserved_or_a_setting():
    named = set()
    for path in SOURCE.rglob("*.py"):
        named |= set(re.findall(r"SOLVEYARD_[A-Z][A-Z_]*", path.read_text()))
    assert named - RESERVED - {PARAMETER} <= {key.variable for key in all_keys().values()}


def test_what_a_command_line_gives_wrongly_is_wrong_usage(places):
    with pytest.raises(InvalidRequest) as caught:
        config.load(places, {}, {"idle_exit": Given("--idle-exit", 0.0)})
    assert not isinstance(caught.value, InvalidSettings)
    assert str(caught.value).startswith("--idle-exit: `idle_exit`")


@pytest.mark.parametrize("value", ["4096", '"4096"', "1.5", '"4096B"'])
@pytest.mark.parametrize("key", ["resources.memory", "resources.disk"])
def test_what_jobs_ask_for_says_its_unit(places, key, value):
    """A bare number is MiB in a job and GiB in a setting."""
    write(places.user, f"{key} = {value}\n")
    number = value.strip('"B')
    assert f'`{key}`: expected a size with its unit, "{number}M" or "{number}G"' in why(places)
    for value in ("'1e2'", "'+5'", "inf", "-1", "true", "['4G']", str(10**400), "'5.5.5'", "''"):
        write(places.user, f"{key} = {value}\n")
        assert f'`{key}`: expected a size with its unit, such as "500M" or "10G"' in why(places)
    write(places.user, f"{key} = '4096M'\n")
    assert config.load(places, {}).value(key) == 4096 << 20
    write(places.user, f"{key} = 0\n")
    assert config.load(places, {}).value(key) == 0


@pytest.mark.parametrize("value", ["true", "'much'", "-1", str(10**400)])
def test_what_is_no_size_or_no_whole_number_is_told_what_to_write(places, value):
    write(places.user, f"retention.max_size = {value}\n")
    assert 'expected a size such as "500M", "10G" or 10 (GiB)' in why(places)
    write(places.user, "resources.gpus = true\n")
    assert "`resources.gpus`: expected a whole number, got True" in why(places)
