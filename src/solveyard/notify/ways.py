"""How a notice leaves: a POST to a webhook, or a command that gets it on standard input."""

import asyncio
import hashlib
import hmac
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, NamedTuple, Protocol

from solveyard.model.errors import InvalidSettings
from solveyard.model.notices import Receiver
from solveyard.model.texts import plain
from solveyard.notify.spelling import PLACE, longest, quoted, without
from solveyard.processes import end_group, start
from solveyard.secret import Secret

if TYPE_CHECKING:
    import aiohttp
    import yarl

POST = 10.0  #: s that a webhook may take to answer
RUN = 30.0  #: s that a command may take
VARIABLE = 16_384  #: characters of a text that a command gets in its environment; it can read all
ANSWER = 300  #: bytes of an answer, or of a command's output, that are kept with a failure
BEARER, SIGNATURE = "bearer", "signature"
_MARK = "the0secret0s0place"  #: stands for it while the rest of a URL is quoted


class Undelivered(Exception):
    """The receiver didn't take it: one sentence."""


class Way(Protocol):
    @property
    def kind(self) -> Literal["webhook", "command"]: ...

    async def deliver(self, notice: str, payload: bytes, variables: Mapping[str, str]) -> None:
        """Bring `payload`, JSON, once; `notice` is its id. Raises Undelivered."""
        ...


class Recipient(NamedTuple):
    """A receiver, and how it is reached."""

    receiver: Receiver
    way: Way

    def of(self, store: Path) -> "Recipient":
        """As the manager of `store` has it."""
        if not isinstance(self.way, Program):
            return self
        return self._replace(way=self.way._replace(store=str(store)))


class Webhook(NamedTuple):
    url: str
    secret: Secret | None = None
    proof: str = BEARER  #: how the secret is sent: BEARER, SIGNATURE, or a header's name
    short: bool = False  #: its text alone is sent: {"text": ...}

    @property
    def kind(self) -> Literal["webhook"]:
        return "webhook"

    async def deliver(self, notice: str, payload: bytes, variables: Mapping[str, str]) -> None:
        """2xx is taken. Redirects are not followed: they lead where no setting allows."""
        import aiohttp  # only who has receivers loads it here

        secret = self._secret()
        if self.short:
            payload = json.dumps({"text": json.loads(payload)["text"]}).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": notice}
        if secret and PLACE not in self.url:
            headers |= _proof(secret, payload, self.proof)
        limit = aiohttp.ClientTimeout(total=POST)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.post(
                    self._address(secret),
                    data=payload,
                    headers=headers,
                    allow_redirects=False,
                ) as answer,
            ):
                status = answer.status
                if 200 <= status < 300:  # whatever else it may have to say
                    return
                said = await _said(answer, secret)
        except TimeoutError as error:
            raise Undelivered(f"no answer within {POST:.0f} s") from error
        except aiohttp.ClientConnectorError as error:
            number = error.os_error.errno  # asyncio puts words of its own in the place of these
            own = str(error.os_error.strerror)
            why = own if number is None or number <= 0 else os.strerror(number)
            told = f"cannot connect to {error.host}:{error.port}: {why}"
            raise Undelivered(_without(told, secret)) from None
        except aiohttp.ClientResponseError as error:  # its text holds the address
            why = f"what it answers is no HTTP ({type(error).__name__}, {error.status})"
            raise Undelivered(why) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise Undelivered(_without(why, secret)) from None  # it may hold the address
        if 300 <= status < 400:
            raise Undelivered(f"it answered {status}, and redirects are not followed")
        raise Undelivered(f"it answered {status}" + (f": {said}" if said else ""))

    def _address(self, secret: str) -> "yarl.URL":
        """With the secret as `quoted` has it: the library would write it anew."""
        import yarl

        rest = yarl.URL(self.url.replace(PLACE, _MARK))
        return yarl.URL(str(rest).replace(_MARK, quoted(secret)), encoded=True)

    def _secret(self) -> str:
        if self.secret is None:
            return ""
        try:
            return self.secret.read()
        except InvalidSettings as error:
            raise Undelivered(str(error)) from error


class Program(NamedTuple):
    argv: tuple[str, ...]
    withheld: frozenset[str] = frozenset()  #: variables of the manager's that it doesn't get
    store: str = ""  #: the manager's, which `solveyard` finds from within it; empty: its default

    @property
    def kind(self) -> Literal["command"]:
        return "command"

    async def deliver(self, notice: str, payload: bytes, variables: Mapping[str, str]) -> None:
        """Exit status 0 is taken, and what it left running goes on: `mail` sends from there. Else
        its whole group is ended.
        """
        told = {name: text.replace("\0", "")[:VARIABLE] for name, text in variables.items()}
        if self.store:
            told["SOLVEYARD_HOME"] = self.store
        # files, not pipes: nobody waits for one that reads or writes slowly, or leaves one open
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(payload)
            given.seek(0)
            try:
                process = await start(self.argv, self.withheld, told, stdin=given, said=said)
            except (OSError, ValueError) as error:
                raise Undelivered(f"cannot start {self.argv[0]}: {error}") from error
            status = None
            try:
                async with asyncio.timeout(RUN):
                    status = await process.wait()
            except TimeoutError as error:
                raise Undelivered(f"ended after {RUN:.0f} s{_tail(said)}") from error
            finally:
                if status != 0:
                    end_group(process)
                    await process.wait()
            if status != 0:
                how = f"signal {-status}" if status < 0 else f"exit status {status}"
                raise Undelivered(f"{how}{_tail(said)}")


def _proof(secret: str, payload: bytes, how: str) -> dict[str, str]:
    if how == BEARER:
        return {"Authorization": f"Bearer {secret}"}
    if how != SIGNATURE:
        return {how: secret}
    code = hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()
    return {"X-Solveyard-Signature": f"sha256={code}"}


async def _said(answer: "aiohttp.ClientResponse", secret: str) -> str:
    """The first line of an answer that refuses; empty: it says nothing, or doesn't end."""
    import aiohttp

    said, wanted = b"", ANSWER + longest(secret)
    try:
        while len(said) < wanted and (more := await answer.content.read(wanted - len(said))):
            said += more
    except (TimeoutError, aiohttp.ClientError, OSError):
        return ""  # what came may end within the secret
    return _line(without(secret, said, ANSWER).decode(errors="replace"))


def _line(text: str) -> str:
    """The first that isn't empty, for people to read."""
    return plain(next((line for line in text.splitlines() if line.strip()), "").strip())


def _without(text: str, secret: str) -> str:
    told = text.encode(errors="replace")
    return without(secret, told, len(told)).decode(errors="replace")


def _tail(said: IO[bytes]) -> str:
    """The end of what it printed, for people to read, with what leads to it; empty: nothing."""
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - ANSWER))
    text = plain(" ".join(said.read().decode(errors="replace").split()))
    return f": {text}" if text else ""
