"""HTTP as others meet it: ports, accounts, tokens, sites, and what may run."""

import json
import os
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import pytest

from e2e.asking import ask, bearer, root, shell, status_for
from ports import free_port
from solveyard.client import find
from solveyard.client.aio import AsyncClient
from solveyard.client.sync import Client
from solveyard.model.errors import NotAllowed
from solveyard.model.jobs import JobSpec

TRUE = {"solver": "command", "options": {"argv": ["true"]}}
DIPOLE = {
    "solver": "nec",
    "hold": True,
    "options": {
        "dipole": {"length": 0.5, "radius": 0.001, "segments": 21},
        "frequencies": {"start": 2e8, "stop": 4e8, "points": 3},
    },
}


def told(yard: Any) -> Any:
    return yard.told


def test_it_listens_on_both_loopback_addresses_and_tells_where(service: Any) -> None:
    yard = service().start()
    where = urlsplit(told(yard)["url"])
    assert (where.scheme, where.hostname) == ("http", "127.0.0.1")
    assert Path(told(yard)["socket"]).is_socket()
    assert ask(told(yard)["url"], "GET", "/healthz").status == 200
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no ::1")
    assert ask(f"http://[::1]:{where.port}", "GET", "/healthz").status == 200


def test_the_stores_own_clients_use_the_private_socket(service: Any) -> None:
    yard = service().start()
    address = find.running(yard.store)
    assert address.socket == told(yard)["socket"]
    assert address.url == told(yard)["url"]
    options = msgspec.Raw(b'{"argv": ["true"]}')
    with Client(yard.store) as client:
        assert client.submit(JobSpec(solver="command", options=options)).number == 1


def test_a_busy_port_is_an_error_that_names_its_holder_where_it_was_chosen(service: Any) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        yard = service()
        done = shell(yard, "serve", "--port", str(port))
    assert done.returncode == 4
    assert f"port {port} is taken by" in done.stderr
    if sys.platform == "linux":
        assert f"process {os.getpid()} " in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_busy_default_port_takes_a_free_one(service: Any, until: Any) -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        def held() -> bool:
            try:
                holder.bind(("127.0.0.1", 8080))
                holder.listen()
            except OSError:
                return False
            return True

        with suppress(pytest.fail.Exception):  # somebody's own manager stays there: that will do
            until(held, "another test leaves it")
        yard = service()
        yard.options = ()
        yard.start()
        assert urlsplit(told(yard)["url"]).port not in {8080, None}
        assert ask(told(yard)["url"], "GET", "/healthz").status == 200


def test_a_chosen_free_port_is_taken(service: Any) -> None:
    port = free_port()
    yard = service("--port", str(port)).start()
    assert urlsplit(told(yard)["url"]).port == port


@root
def test_another_account_of_this_machine_gets_401_and_with_a_token_in(service: Any) -> None:
    yard = service().start()
    url = told(yard)["url"]
    assert status_for(os.getuid(), url) == 200
    for target in ("/jobs", "/session", "/socket.io/?EIO=4&transport=polling", "/nothing"):
        assert status_for(4242, url, target) == 401
    secret = shell(yard, "token", "create", "somebody").stdout.strip()
    assert ask(url, "GET", "/jobs", headers=bearer(secret)).status == 200


def test_tokens_are_made_named_listed_and_revoked_and_only_hashes_are_kept(service: Any) -> None:
    yard = service().start()
    url = told(yard)["url"]
    made = shell(yard, "token", "create", "ci")
    secret = made.stdout.strip()
    assert made.returncode == 0
    assert len(secret) > 40
    assert shell(yard, "token", "create", "ci").returncode == 4
    assert [one["name"] for one in json.loads(shell(yard, "token", "list", "--json").stdout)] == [
        "ci"
    ]
    assert ask(url, "GET", "/jobs", headers=bearer(secret)).status == 200
    place = yard.store / "tokens.json"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    for file in yard.store.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes()
    assert shell(yard, "token", "revoke", "ci").returncode == 0
    answer = ask(url, "GET", "/jobs", headers=bearer(secret))
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert shell(yard, "token", "revoke", "ci").returncode == 2


def test_wrong_tokens_are_asked_to_wait_and_right_ones_are_not(service: Any) -> None:
    yard = service().start()
    url = told(yard)["url"]
    secret = shell(yard, "token", "create", "ci").stdout.strip()
    answers = [
        ask(url, "GET", "/jobs", headers=bearer(f"sy_{number}")).status for number in range(25)
    ]
    assert answers == [401] * 20 + [429] * 5
    assert ask(url, "GET", "/jobs", headers=bearer(secret)).status == 200
    assert ask(url, "GET", "/jobs").status == 200


@root
def test_strangers_that_ask_too_often_wait_and_the_owner_does_not(service: Any) -> None:
    yard = service().start()
    where = urlsplit(told(yard)["url"])
    secret = shell(yard, "token", "create", "eyes").stdout.strip()
    program = (
        "import http.client, os; found = []\n"
        f"wire = http.client.HTTPConnection({where.hostname!r}, {where.port})\n"
        "wire.request('GET', '/healthz'); wire.getresponse().read(); wire.close()\n"
        "os.setuid(4242)  # who may not import what that took\n"
        f"wire = http.client.HTTPConnection({where.hostname!r}, {where.port})\n"
        "for n in range(1205):\n"
        "    wire.request('GET', '/healthz'); answer = wire.getresponse(); answer.read()\n"
        "    found.append((answer.status, answer.getheader('Retry-After') is not None))\n"
        "    assert answer.will_close, 'strangers keep no connection'\n"
        "print(found[1199], found[1200], found[1204])\n"
        "wire.close()\n"
        f'body = \'{{"token": "{secret}"}}\'\n'
        "wire.request('POST', '/session', body, {'Content-Type': 'application/json'})\n"
        "print(wire.getresponse().status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    counted, signed_in = done.stdout.splitlines()
    assert counted == "(200, False) (429, True) (429, True)"
    assert signed_in == "200", "who has a token isn't kept out by those who have none"
    assert ask(told(yard)["url"], "GET", "/jobs").status == 200


def test_headers_that_are_too_large_are_refused(service: Any) -> None:
    yard = service().start()
    url = told(yard)["url"]
    assert ask(url, "GET", "/jobs", headers={"X-Large": "x" * 9000}).status == 400
    many = {f"X-{number}": "x" for number in range(200)}
    assert ask(url, "GET", "/jobs", headers=many).status == 400
    assert ask(url, "GET", "/jobs").status == 200


def test_a_wider_bind_makes_a_token_prints_it_once_and_asks_for_it(
    service: Any, until: Any
) -> None:
    yard = service("--host", "0.0.0.0", "--port", "0").start()
    log = yard.store.parent / "serve.log"
    until(lambda: "solveyard listens on" in log.read_text(), "it says so")
    [line] = [line for line in log.read_text().splitlines() if "token 'first'" in line]
    secret = line.split("this once: ")[1].split()[0]
    url = told(yard)["url"]
    assert ask(url, "GET", "/jobs").status == 200  # the kernel tells that it's the owner
    for passed_on in ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"):
        assert ask(url, "GET", "/jobs", headers={passed_on: "192.0.2.7"}).status == 401
    assert ask(url, "GET", "/jobs", headers=bearer(secret)).status == 200
    yard.stop()
    (yard.store.parent / "serve.log").unlink()
    yard.start()
    assert "this once" not in (yard.store.parent / "serve.log").read_text()
    assert ask(told(yard)["url"], "GET", "/jobs", headers=bearer(secret)).status == 200


def test_other_sites_names_and_forms_are_refused(service: Any) -> None:
    yard = service("--allow", "command", "--allowed-host", "yard.example:8443").start()
    url = told(yard)["url"]
    own = urlsplit(url).netloc
    for headers in (
        {"Host": "evil.example"},
        {"Host": f"evil.example:{urlsplit(url).port}"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": ""},
        {"Host": "a@127.0.0.1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://localhost.evil.example:{urlsplit(url).port}"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        answer = ask(url, "POST", "/jobs", TRUE, headers)
        assert (answer.status, answer.json["success"]) == (403, False), headers
        assert "access-control-allow-origin" not in answer.headers
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert ask(url, "POST", "/jobs", TRUE, {"Content-Type": kind}).status == 415
        assert ask(url, "POST", "/jobs/1/cancel", b"", {"Content-Type": kind}).status == 415
    assert ask(url, "GET", "/jobs").json == []
    for headers in (
        {"Origin": f"http://{own}"},
        {"Host": "yard.example:8443", "Origin": "https://yard.example:8443"},
        {"Host": "localhost"},
    ):
        assert ask(url, "POST", "/jobs", TRUE, headers).status == 201, headers
    answer = ask(url, "OPTIONS", "/jobs", headers={"Access-Control-Request-Method": "PUT"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    live = "/socket.io/?EIO=4&transport=polling"
    assert ask(url, "GET", live, headers={"Origin": "http://evil.example"}).status == 403


def test_over_http_a_command_runs_only_where_it_is_allowed(service: Any, tmp_path: Path) -> None:
    yard = service().start()
    answer = ask(told(yard)["url"], "POST", "/jobs", [DIPOLE, TRUE])
    assert answer.status == 403
    assert answer.json["error"].startswith("job 2 of 2: ")
    assert "--allow command" in answer.json["error"]
    assert ask(told(yard)["url"], "GET", "/jobs").json == []
    assert ask(told(yard)["url"], "POST", "/jobs", DIPOLE).status == 201
    address = find.running(yard.store)._replace(socket="")
    options = msgspec.Raw(b'{"argv": ["true"]}')
    with Client(address) as client, pytest.raises(NotAllowed):
        client.submit(JobSpec(solver="command", options=options))
    yard.stop()
    yard.options = ("--allow", "command")
    yard.start()
    assert ask(told(yard)["url"], "POST", "/jobs", TRUE).status == 201


async def test_over_http_jobs_stay_below_the_project_roots(service: Any, tmp_path: Path) -> None:
    inside, outside = tmp_path / "projects" / "a", tmp_path / "elsewhere"
    inside.mkdir(parents=True)
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    yard = service("--allow", "command", "--project-root", str(inside.parent)).start()
    url = told(yard)["url"]
    for place in (outside, inside / "link", inside / ".." / ".." / "elsewhere", Path("/")):
        answer = ask(url, "POST", "/jobs", TRUE | {"directory": str(place)})
        assert answer.status == 403, place
        assert "--project-root" in answer.json["error"]
    assert ask(url, "POST", "/jobs", TRUE | {"directory": str(inside)}).status == 201
    assert ask(url, "POST", "/jobs", TRUE).status == 201
    options = msgspec.Raw(b'{"argv": ["true"]}')
    spec = JobSpec(solver="command", options=options, directory=str(outside))
    async with AsyncClient(yard.store) as client:  # the owner, by the private socket
        assert (await client.submit(spec)).directory == str(outside)


def test_a_folder_that_is_exchanged_after_its_admission_is_neither_looked_at_nor_run_in(
    service: Any, tmp_path: Path
) -> None:
    work, secrets = tmp_path / "projects" / "work", tmp_path / "secrets"
    work.mkdir(parents=True)
    secrets.mkdir()
    (secrets / "key").write_text("secret")
    yard = service("--project-root", str(work.parent)).start()
    url = told(yard)["url"]
    jobs = DIPOLE | {"directory": str(work)}
    assert ask(url, "POST", "/jobs", jobs | {"name": "held"}).status == 201
    assert ask(url, "GET", "/jobs/held/files").json == []
    work.rename(tmp_path / "moved")
    work.symlink_to(secrets)
    assert ask(url, "POST", "/jobs", jobs).status == 403
    for target in ("files", "files/key", "touchstone"):
        answer = ask(url, "GET", f"/jobs/held/{target}")
        assert answer.status == (200 if target == "touchstone" else 403), target
        assert b"secret" not in answer.body
    assert ask(url, "POST", "/jobs/held/release").status == 200
    ended = ask(url, "GET", "/jobs/held/wait?timeout=30").json
    assert (ended["state"], ended["reason"]) == ("failed", "launch")
    assert "it leads out of the folders in which it may run" in ended["message"]
    assert [one.name for one in secrets.iterdir()] == ["key"]
    (tmp_path / "moved").rename(tmp_path / "projects" / "again")
    work.unlink()
    work.symlink_to(tmp_path / "projects" / "again")  # where its submitter may run jobs, too
    assert ask(url, "POST", "/jobs/held/retry").status == 200
    assert ask(url, "GET", "/jobs/held/wait?timeout=30").json["state"] == "completed"
    assert ask(url, "GET", "/jobs/held/files/result.s1p").status == 200


def test_who_has_a_token_writes_nothing_into_a_store_below_a_root(
    service: Any, tmp_path: Path
) -> None:
    yard = service("--project-root", str(tmp_path)).start()
    url, secret = told(yard)["url"], shell(yard, "token", "create", "guest").stdout.strip()
    owners = DIPOLE | {"name": "owners", "hold": False}
    assert ask(url, "POST", "/jobs", owners).status == 201
    place = Path(ask(url, "GET", "/jobs/owners/wait?timeout=60").json["directory"])
    result = (place / "result.s1p").read_bytes()
    way = (place / "result.s1p").relative_to(tmp_path)
    options = DIPOLE["options"] | {"result": str(way)}
    direct = DIPOLE | {"directory": str(tmp_path), "options": options}
    answer = ask(url, "POST", "/jobs", direct, bearer(secret))
    assert (answer.status, "the manager's own store" in answer.json["error"]) == (403, True)
    for name, target in {"one": place, "whole": yard.store}.items():
        work = tmp_path / f"work-{name}"
        work.mkdir()
        held = DIPOLE | {"name": name, "directory": str(work)}
        assert ask(url, "POST", "/jobs", held, bearer(secret)).status == 201
        work.rmdir()
        work.symlink_to(target)
        answer = ask(url, "GET", f"/jobs/{name}/files", None, bearer(secret))
        assert (answer.status, b"result.s1p" in answer.body) == (403, False)
        assert ask(url, "POST", f"/jobs/{name}/release", None, bearer(secret)).status == 200
        ended = ask(url, "GET", f"/jobs/{name}/wait?timeout=60").json
        assert (ended["state"], ended["reason"]) == ("failed", "launch")
        assert "it leads into the manager's own store" in ended["message"]
    assert (place / "result.s1p").read_bytes() == result
    assert not list(yard.store.glob("result.*"))


def test_links_and_pipes_in_the_place_of_a_jobs_files_do_no_harm(
    service: Any, tmp_path: Path
) -> None:
    yard = service("--project-root", str(tmp_path)).start()
    url = told(yard)["url"]
    mine = tmp_path / "mine"
    mine.write_text("mine")
    for name in ("a", "b", "c"):
        work = tmp_path / name
        work.mkdir()
        for file in ("result.nec", "result.s1p", "result.s1p.error"):
            if name == "a":
                (work / file).symlink_to(mine)
            else:
                os.mkfifo(work / file)
        job = DIPOLE | {"name": name, "hold": False, "directory": str(work)}
        assert ask(url, "POST", "/jobs", job).status == 201
    for name in ("a", "b", "c"):
        assert ask(url, "GET", f"/jobs/{name}/wait?timeout=60").json["state"] == "completed"
        assert (tmp_path / name / "result.nec").read_text().startswith("CM dipole")
    assert mine.read_text() == "mine"


def test_who_has_a_token_is_no_owner(service: Any, tmp_path: Path) -> None:
    yard = service("--allow", "command").start()
    url = told(yard)["url"]
    secret = shell(yard, "token", "create", "guest").stdout.strip()
    here = TRUE | {"directory": str(tmp_path)}
    assert ask(url, "POST", "/jobs", here, bearer(secret)).status == 403
    assert ask(url, "POST", "/jobs", here).status == 201
    record = ask(url, "POST", "/jobs", TRUE, bearer(secret)).json["job"]
    assert record["owner"] == "token:guest"
    answer = ask(url, "POST", "/system/stop", {"how": "now"}, bearer(secret))
    assert answer.status == 403
    assert ask(url, "GET", "/healthz").status == 200


def test_a_job_that_runs_in_the_store_or_above_shows_nothing_of_it(service: Any) -> None:
    yard = service().start()
    url = told(yard)["url"]
    guest = bearer(shell(yard, "token", "create", "guest").stdout.strip())
    for number, (folder, way) in enumerate(((yard.store, ""), (yard.store.parent, "store/")), 1):
        done = shell(yard, "run", "--directory", str(folder), "--", "touch", "mine.txt")
        assert done.returncode == 0, done.stderr
        listed = ask(url, "GET", f"/jobs/{number}/files", headers=guest)
        assert "is there" in unquote(listed.headers["x-unread"])
        assert {one["path"] for one in listed.json} <= {"mine.txt", "serve.log"}
        for name in ("manager.json", "tokens.json", "store.db", "agent/token"):
            answer = ask(url, "GET", f"/jobs/{number}/files/{way}{name}", headers=guest)
            assert answer.status == 404, name
    assert ask(url, "POST", "/jobs", DIPOLE, guest).status == 201
    there = yard.store / "jobs" / "3"
    there.mkdir(parents=True, exist_ok=True)
    (there / "mine.txt").write_text("mine")
    assert ask(url, "GET", "/jobs/3/files/mine.txt", headers=guest).body == b"mine"


def test_anothers_key_is_another_key_also_for_a_job_that_was_anothers(service: Any) -> None:
    yard = service("--allow", "command").start()
    heads = [
        bearer(shell(yard, "token", "create", name).stdout.strip()) | {"Idempotency-Key": "night-7"}
        for name in ("u1", "u2")
    ]

    def submitted(who: int, name: str = "") -> tuple[int, int, str]:
        answer = ask(told(yard)["url"], "POST", "/jobs", TRUE | {"name": name}, heads[who])
        return answer.status, answer.json["job"]["number"], answer.json["job"]["owner"]

    assert submitted(0) == (201, 1, "token:u1")
    assert submitted(1) == (201, 2, "token:u2")
    heads[0]["Idempotency-Key"] = heads[1]["Idempotency-Key"] = "night-8"
    assert submitted(0, "mesh") == (201, 3, "token:u1")
    assert yard.client.wait([3], 60)
    assert submitted(1, "mesh") == (201, 3, "token:u2")  # whoever submitted it last
    heads[1]["Idempotency-Key"] = "night-9"
    assert yard.client.wait([3], 60)
    assert submitted(1, "mesh") == (201, 3, "token:u2")
    for _ in range(2):
        assert yard.client.wait([3], 60)
        assert submitted(1, "mesh") == (200, 3, "token:u2")
        assert submitted(0, "mesh") == (200, 3, "token:u2")  # u1's night-8 is not forgotten
        yard.stop()
        yard.start()
    heads[0]["Idempotency-Key"] = heads[1]["Idempotency-Key"] = "night-7"
    assert submitted(0) == (200, 1, "token:u1")
    assert submitted(1) == (200, 2, "token:u2")


def test_a_key_keeps_a_submission_from_being_made_twice_until_its_job_is_removed(
    service: Any,
) -> None:
    yard = service("--allow", "command").start()
    key = {"Idempotency-Key": "night-7"}

    def submitted(body: Any = TRUE) -> tuple[int, Any]:
        answer = ask(told(yard)["url"], "POST", "/jobs", body, key)
        return answer.status, answer.json.get("job", {}).get("number")

    assert submitted({"solver": "nobody"}) == (400, None)  # a refused one frees its key
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: submitted(), range(16)))
    assert sorted(status for status, _ in answers) == [200] * 15 + [201]
    assert {number for _, number in answers} == {1}
    yard.kill()
    yard.start()
    assert submitted() == (200, 1)
    assert yard.client.wait([1], 60)
    yard.client.remove(1)
    assert submitted() == (201, 2)
    yard.stop()
    yard.start()
    assert submitted() == (200, 2)
