"""Requests as a script or another account of this machine sends them."""

import http.client
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

root = pytest.mark.skipif(
    sys.platform != "linux" or os.getuid() != 0, reason="only root can become somebody else"
)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    url: str,
    method: str,
    target: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    trust: ssl.SSLContext | None = None,
) -> Answer:
    """`trust`: what an https:// server must show."""
    where = urlsplit(url)
    wire: http.client.HTTPConnection
    if where.scheme == "https":
        wire = http.client.HTTPSConnection(
            where.hostname or "", where.port, timeout=30, context=trust
        )
    else:
        wire = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
    sent = dict(headers or {})
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    if content is not None:
        sent.setdefault("Content-Type", "application/json")
    try:
        wire.request(method, target, content, sent)
        response = wire.getresponse()
        return Answer(
            response.status,
            {name.lower(): text for name, text in response.getheaders()},
            response.read(),
        )
    finally:
        wire.close()


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def shell(yard: Any, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "solveyard.cli", "--store", str(yard.store), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=yard.environment,
    )


def status_for(uid: int, url: str, target: str = "/jobs", *headers: str) -> int:
    """The status that an account gets from a program of its own."""
    where = urlsplit(url)
    lines = [f"GET {target} HTTP/1.1", f"Host: {where.netloc}", "Connection: close", *headers]
    sent = "\r\n".join([*lines, "", ""]).encode()
    program = (
        f"import encodings.idna, os, socket; os.setuid({uid});"
        f"s = socket.create_connection(({where.hostname!r}, {where.port}));"
        f"s.sendall({sent!r});"
        "print(s.makefile('rb').readline().decode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    return int(done.stdout.split()[1])
