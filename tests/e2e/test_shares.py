"""Shares and quotas of a real manager: two people, one of them with a token."""

import json
from pathlib import Path
from typing import Any

from e2e.asking import ask, shell
from solveyard.client.sync import Client
from solveyard.model.jobs import JobState

PATIENCE = 60.0
TRUE = {"solver": "command", "options": {"argv": ["true"]}}
BUSY = {"solver": "command", "options": {"argv": ["sleep", "0.2"]}}
SETTINGS = """
port = 0
cores = 1
allow = ["command"]
[shares]
fair = true
half_life = "30d"
weights = {"token:guest" = 3}
[quotas."token:guest"]
waiting = 2
"""


def test_owners_have_shares_and_quotas_which_a_restart_keeps(service: Any, tmp_path: Path) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text(SETTINGS)
    yard = service(environment={"SOLVEYARD_CONFIG": str(settings)}).start()
    url = yard.told["url"]
    guest = {"Authorization": f"Bearer {shell(yard, 'token', 'create', 'guest').stdout.strip()}"}

    held = TRUE | {"hold": True}
    for _ in range(2):
        assert ask(url, "POST", "/jobs", held, guest).status == 201
    refused = ask(url, "POST", "/jobs", held, guest)
    assert (refused.status, refused.json["kind"]) == (429, "quota")
    assert "2 waiting jobs: 2 wait, and this would add 1" in refused.json["error"]
    assert ask(url, "POST", "/jobs", held).status == 201

    number = ask(url, "POST", "/jobs", BUSY).json["job"]["number"]
    with Client(yard.store) as client:
        assert client.wait([number], PATIENCE)
        assert client.job(number).state is JobState.COMPLETED
        before = client.shares()
    assert {one.owner: (one.share, one.waiting) for one in before.owners} == {
        client_owner(before): (0.25, 1),
        "token:guest": (0.75, 2),
    }
    assert sum(one.used for one in before.owners) == 1.0

    yard.stop()
    yard.start()
    told = shell(yard, "shares", "--json")
    after = {one["owner"]: one["core_seconds"] for one in json.loads(told.stdout)["owners"]}
    used = next(one.core_seconds for one in before.owners if one.owner != "token:guest")
    assert 0.9 * used < after[client_owner(before)] <= used
    shown = shell(yard, "shares").stdout.splitlines()
    assert shown[0].split()[:3] == ["OWNER", "WEIGHT", "SHARE"]
    assert shown[-1].split()[:3] == ["token:guest", "3", "75%"]
    assert shown[-1].endswith("2 waiting")


def client_owner(found: Any) -> str:
    """The manager's own account."""
    return next(str(one.owner) for one in found.owners if one.owner != "token:guest")


def test_nobody_has_a_share_where_none_is_set(service: Any) -> None:
    yard = service("--port", "0").start()
    assert ask(yard.told["url"], "GET", "/shares").json["owners"] == []
    assert "neither" not in shell(yard, "shares").stdout
    assert "nobody has shares or quotas here" in shell(yard, "shares").stderr
