"""A machine over SSH as a host: needs a POSIX shell and coreutils there, and nothing of ours."""

import asyncio
import contextlib
import math
import re
import secrets
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from solveyard.backends.dialects.base import Answer, Call
from solveyard.backends.hosts.base import Away
from solveyard.backends.hosts.login import Login
from solveyard.backends.hosts.talking import LIMIT, Told, talk

_OPENING = 60.0  #: s that a connection may take, over all its jumps
_GRACE = 10.0  #: s beyond its own time for a command's answer to arrive
_DENIED = 600.0  #: s until somebody who was not let in tries again by itself: sites count that
_SILENT = 10.0  #: s without an answer that people are told of
_MUCH = 1 << 16  #: bytes that may take that long to arrive
_SESSIONS = 8  #: at once; sshd allows 10 on a connection
_TIMED_OUT = 124  #: exit status of timeout(1)
_PERSON = re.compile(
    r"permission denied|host key verification|authentication failures|no supported auth"
    r"|read_passphrase|keyboard-interactive|identification has changed",
    re.IGNORECASE,
)
#: What any login shell takes, csh too. The command comes before its standard input: no shell but
#: a POSIX one reads it, and no limit of a command line holds.
_LINE = 'eval "$(head -c {length})"'
#: Marks where the command's own output begins and ends: login scripts write, too.
_FRAME = r"""echo {token}; echo {token} >&2; "$@"; printf '\n%s %s\n' {token} "$?" """
#: A connection's process stays, and must not hold our pipes.
_DETACHED = 'exec "$@" </dev/null >/dev/null 2>"$0"'


class Failed(Exception):
    """What was asked of a machine was not possible there; in its words."""


class SshHost:
    """Its connection is opened when it's needed, and again after it broke."""

    def __init__(self, login: Login, environment: Mapping[str, str], limit: int = LIMIT) -> None:
        self.login = login
        self.commands = 0  #: that were issued
        self._environment = dict(environment)
        self._limit = limit
        self._opening = asyncio.Lock()
        self._sessions = asyncio.Semaphore(_SESSIONS)
        self._doubted = False  #: the connection's socket may be there without a connection
        self._owed: set[float] = set()  #: since when answers are, by `monotonic`
        self._denied: tuple[float, str] | None = None  #: when, and in which words

    @property
    def where(self) -> str:
        return self.login.host

    @property
    def silent(self) -> str:
        passed = time.monotonic() - min(self._owed, default=math.inf)
        if passed < _SILENT:
            return ""
        return (
            f"{self.where} has not answered for {passed:.0f} s: try `{self.login.by_hand}`; what a"
            " login does there may take long"
        )

    async def run(self, call: Call) -> Answer:
        try:
            code, out, err = await self._exchange(
                call.argv, call.stdin.encode(), call.timeout, self._limit
            )
        except Away as error:
            return Answer(None, "", str(error))
        return Answer(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))

    async def ask(
        self,
        script: str,
        *arguments: str,
        stdin: bytes = b"",
        timeout: float = 60.0,  # noqa: ASYNC109  # it holds there, too
    ) -> bytes:
        """What a script for a POSIX shell prints. Raises Away; Failed, in the script's words."""
        argv = ("/bin/sh", "-c", script, "sh", *arguments)
        code, out, err = await self._exchange(argv, stdin, timeout, self._limit)
        if code != 0:
            words = " ".join(err.decode("utf-8", "replace").split())
            raise Failed(words[:600] or f"exit status {code} at {self.where}")
        return out

    async def close(self) -> None:
        """Close the connection, whoever opened it."""
        await self._ssh(self.login.control("exit"), timeout=_GRACE)

    async def _exchange(
        self,
        argv: Sequence[str],
        stdin: bytes,
        timeout: float,  # noqa: ASYNC109
        limit: int,
    ) -> tuple[int, bytes, bytes]:
        """Raises Away."""
        token = secrets.token_hex(16)
        bounded = ("env", "LC_ALL=C", "timeout", "-k", "5", f"{timeout:g}", *argv)
        text = f"set -- {shlex.join(bounded)}; {_FRAME.format(token=token)}".encode()
        line = f"exec {shlex.join(('/bin/sh', '-c', _LINE.format(length=len(text))))}"
        with self._owing(stdin):
            async with self._sessions:
                await self._opened()
                self.commands += 1
                command = self.login.command(line)
                patience = timeout + _GRACE
                told = await self._ssh(command, text + stdin, timeout=patience, limit=limit)
        found = _framed(told.out, token)
        if told.trouble or found is None:
            self._doubted = True
            why = told.trouble or _words(told.err) or "the connection broke"
            raise Away(f"{self.where}: {why}")
        code, out = found
        if code == _TIMED_OUT:
            raise Away(f"{self.where}: {argv[0]} had not ended after {timeout:g} s")
        _, begun, err = told.err.partition(f"{token}\n".encode())
        return code, out, err if begun else told.err

    @contextlib.contextmanager
    def _owing(self, sent: bytes) -> Iterator[None]:
        """It owes an answer meanwhile; who takes much may take long for that."""
        since = time.monotonic() if len(sent) < _MUCH else math.inf
        self._owed.add(since)
        try:
            yield
        finally:
            self._owed.discard(since)

    async def _opened(self) -> None:
        """Until there is a connection. Raises Away."""
        async with self._opening:
            socket = Path(self.login.socket)
            if socket.exists():
                if not self._doubted or await self._is_open():
                    self._doubted = False
                    return
                socket.unlink(missing_ok=True)
            self._doubted = False
            await self._open()

    async def _is_open(self) -> bool:
        return (await self._ssh(self.login.control("check"), timeout=_GRACE)).code == 0

    async def _open(self) -> None:
        now = time.monotonic()
        if self._denied is not None and now - self._denied[0] < _DENIED:
            raise Away(self._denied[1])
        said = Path(f"{self.login.socket}.log")
        argv = ("/bin/sh", "-c", _DETACHED, str(said), *self.login.open(person=False))
        told = await self._ssh(argv, timeout=_OPENING)
        if told.code == 0:
            self._denied = None
            return
        err = await asyncio.to_thread(said.read_bytes) if said.exists() else b""
        words = told.trouble or _words(err) or _words(told.err) or "ssh failed without a word"
        if _PERSON.search(words):
            why = f"{self.where} asks for a person: {words} ({self.login.way_out})"
            self._denied = now, why
            raise Away(why)
        raise Away(f"cannot reach {self.where}: {words}")

    async def _ssh(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        timeout: float,  # noqa: ASYNC109
        limit: int = LIMIT,
    ) -> Told:
        try:
            return await talk(argv, self._environment, stdin, timeout=timeout, limit=limit)
        except OSError as error:
            raise Away(f"cannot start ssh: {error.strerror} (install OpenSSH's client)") from error


def _framed(out: bytes, token: str) -> tuple[int, bytes] | None:
    """Exit status and output; None: it isn't all there."""
    _, begun, rest = out.partition(f"{token}\n".encode())
    match = re.search(rb"\n%s ([0-9]+)\n\Z" % token.encode(), rest)
    if not begun or match is None:
        return None
    return int(match[1]), rest[: match.start()]


def _words(err: bytes) -> str:
    lines = err.decode("utf-8", "replace").splitlines()
    return "; ".join(" ".join(line.split()) for line in lines[-3:] if line.strip())[:600]
