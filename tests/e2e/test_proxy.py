"""Behind a real nginx, configured by the very text of docs/how-to/proxy.md."""

import asyncio
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import socketio

from e2e.asking import ask, bearer, shell
from e2e.test_tls import made
from ports import free_port
from solveyard import trust

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "proxy.md"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
SUB = "/sub/yard"

pytestmark = [
    pytest.mark.skipif(NGINX is None, reason="no nginx here (Debian: apt-get install nginx-light)"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here"),
]


class Proxied(NamedTuple):
    yard: Any
    url: str  #: of nginx, without the path
    trust: ssl.SSLContext
    certificate: Path
    secret: str


def recipe(port: int, manager: int, certificate: Path, key: Path) -> str:
    """The page's own, with this test's ports and files in it."""
    text = PAGE.read_text().split("```nginx\n")[1].split("```")[0]
    for old, new in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("proxy_pass http://127.0.0.1:8080/;", f"proxy_pass http://127.0.0.1:{manager}/;"),
        ("/etc/yard/fullchain.pem", str(certificate)),
        ("/etc/yard/key.pem", str(key)),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@pytest.fixture
def proxied(service: Any, tmp_path: Path, until: Any) -> Iterator[Proxied]:
    certificate, key = made(tmp_path, "localhost")
    port = free_port()
    url = f"https://localhost:{port}"
    yard = service("--allow", "command", "--public-url", f"{url}{SUB}/").start()
    manager = urlsplit(str(yard.told["url"])).port
    assert manager is not None
    folder = tmp_path / "nginx"
    folder.mkdir()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        "events { worker_connections 64; }\n"
        f"http {{ access_log off;\n{places}\n{recipe(port, manager, certificate, key)} }}\n"
    )
    command = [str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    # The master alone, so that it runs under the manager's own account also where that is root.
    nginx = subprocess.Popen([*command, "-g", "master_process off;"], stderr=subprocess.PIPE)

    def listens() -> bool:
        if nginx.poll() is not None:
            pytest.fail(f"nginx ended: {nginx.communicate()[1].decode()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(listens, "nginx listens")
        secret = shell(yard, "token", "create", "guest").stdout.strip()
        yield Proxied(yard, url, trust.pinned(certificate), certificate, secret)
    finally:
        nginx.terminate()
        nginx.communicate(timeout=30)


def test_the_page_and_its_files_load_and_a_browser_signs_in(proxied: Proxied) -> None:
    def get(path: str, headers: dict[str, str] | None = None) -> Any:
        return ask(proxied.url, "GET", path, headers=headers, trust=proxied.trust)

    moved = get(SUB)
    assert (moved.status, moved.headers["location"]) == (301, f"{proxied.url}{SUB}/")
    page = get(f"{SUB}/")
    assert page.status == 200
    assets = re.findall(rb'(?:src|href)="(assets/[^"]+)"', page.body)
    assert len(assets) > 3
    for path in assets:
        assert get(f"{SUB}/{path.decode()}").status == 200, path
    assert get(f"{SUB}/jobs").status == 401  # although nginx runs under the manager's account
    origin = {"Origin": proxied.url}
    token = {"token": proxied.secret}
    signed = ask(proxied.url, "POST", f"{SUB}/session", token, origin, proxied.trust)
    assert signed.status == 200
    words = signed.headers["set-cookie"].split("; ")
    assert {"Secure", "HttpOnly", f"Path={SUB}/"} <= set(words)
    assert get(f"{SUB}/dashboard/jobs", {"Cookie": words[0]}).status == 200
    stolen = {"Cookie": words[0]}  # from beside the proxy
    direct = str(proxied.yard.told["url"])
    assert ask(direct, "GET", "/session", headers=stolen | {"Via": "1.1 x"}).status == 401


def test_programs_come_in_with_a_token_and_other_sites_do_not(proxied: Proxied) -> None:
    spec = {"solver": "command", "name": "x" * 100, "hold": True, "options": {"argv": ["true"]}}

    def post(headers: dict[str, str], body: Any = spec) -> int:
        given = bearer(proxied.secret) | headers
        return ask(proxied.url, "POST", f"{SUB}/jobs", body, given, proxied.trust).status

    assert post({"Origin": "https://evil.example"}) == 403
    assert post({"Origin": proxied.url.replace("https", "http")}) == 403
    assert post({"Host": "evil.example"}) == 403
    assert post({"Origin": proxied.url}) == 201
    large = [spec | {"name": f"job-{n}", "tags": ["y" * 60] * 20} for n in range(2000)]
    assert post({}, large) == 201
    told = ask(proxied.url, "GET", f"{SUB}/openapi.json", None, bearer(proxied.secret),
               proxied.trust).json  # fmt: skip
    assert told["servers"] == [{"url": "."}, {"url": proxied.url + SUB}]
    assert proxied.yard.told["public_url"] == proxied.url + SUB


def test_output_that_is_followed_comes_while_the_job_runs(proxied: Proxied, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    script = f"echo one; while [ ! -e {gate} ]; do sleep 0.05; done; echo two"
    spec = {"solver": "command", "name": "speaks", "options": {"argv": ["sh", "-c", script]}}
    token = bearer(proxied.secret)
    assert ask(proxied.url, "POST", f"{SUB}/jobs", spec, token, proxied.trust).status == 201

    def after(offset: int) -> tuple[bytes, dict[str, str]]:
        target = f"{SUB}/jobs/speaks/logs?wait=60&offset={offset}"
        answer = ask(proxied.url, "GET", target, None, token, proxied.trust)
        return answer.body, answer.headers

    content, headers = after(0)
    assert (content, headers["x-ended"]) == (b"one\n", "0")
    gate.touch()
    assert after(4)[0] == b"two\n"


async def test_events_come_by_websocket_below_the_path(proxied: Proxied) -> None:
    wire = socketio.AsyncClient(reconnection=False, ssl_verify=False)
    heard = asyncio.Event()
    wire.on("events", lambda events: heard.set(), namespace="/v1")
    options: Any = {"socketio_path": f"{SUB}/socket.io", "transports": ["websocket"]}
    with pytest.raises(socketio.exceptions.ConnectionError):
        await wire.connect(proxied.url, namespaces=["/v1"], **options)
    token = bearer(proxied.secret)
    await wire.connect(proxied.url, headers=token, namespaces=["/v1"], **options)
    try:
        assert wire.eio.transport() == "websocket"
        await wire.call("subscribe", {"after": 0}, namespace="/v1")
        spec = {"solver": "command", "options": {"argv": ["true"]}}
        await asyncio.to_thread(ask, proxied.url, "POST", f"{SUB}/jobs", spec, token, proxied.trust)
        async with asyncio.timeout(60):
            await heard.wait()
    finally:
        await wire.disconnect()
