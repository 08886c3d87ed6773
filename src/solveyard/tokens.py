"""The tokens of a store: who may come in over the network. Only their hashes are kept."""

import contextlib
import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from solveyard.agent.locks import Lock
from solveyard.model.errors import Conflict, InvalidRequest, StoreLocked, StoreUnusable
from solveyard.store import database, ownership, private
from solveyard.store.failures import from_os

FILE = "tokens.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PATIENCE = 5.0  #: s for another process that writes
_PAUSE = 0.02  #: s


class Token(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    sha256: str  #: of the secret, 64 hex digits
    created_at: float  #: s since 1970


class Tokens:
    """Those in one file (0600), which is replaced whole; a revocation counts from then on."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the store's."""
        self._path = folder / FILE
        self._read: tuple[int, ...] = ()
        self._by_hash: dict[str, str] = {}

    def create(self, name: str) -> str:
        """A new token's secret, which can't be shown again.

        Raises InvalidRequest for a name that won't do, Conflict for one that is taken.
        """
        if not _NAME.fullmatch(name):
            raise InvalidRequest(
                f"{name!r} can't name a token (letters, digits, '.', '_', '-'; at most 64)"
            )
        secret = f"sy_{secrets.token_urlsafe(32)}"

        def add(tokens: list[Token]) -> list[Token]:
            if any(token.name == name for token in tokens):
                raise Conflict(f"there is a token {name!r} already (revoke it, or choose another)")
            return [*tokens, Token(name=name, sha256=digest(secret), created_at=time.time())]

        self._change(add)
        return secret

    def revoke(self, name: str) -> None:
        """Raises InvalidRequest where there is none of that name."""

        def drop(tokens: list[Token]) -> list[Token]:
            left = [token for token in tokens if token.name != name]
            if len(left) == len(tokens):
                known = ", ".join(sorted(token.name for token in tokens)) or "none"
                raise InvalidRequest(f"there is no token {name!r} (there is: {known})")
            return left

        self._change(drop)

    def all(self) -> list[Token]:
        """Raises StoreUnusable when the file can't be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Token])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError) as error:
            raise StoreUnusable(
                f"cannot read {self._path}: {error} (remove it, and create new tokens)"
            ) from error

    def whose(self, secret: str) -> str | None:
        """The name of the token that has this secret; None: none has it.

        Raises StoreUnusable when the file can't be read.
        """
        return self.named(digest(secret))

    def named(self, sha256: str) -> str | None:
        """The name of the token with this hash, as the file is now; None: it was revoked."""
        version: tuple[int, ...] = ()
        try:
            found = self._path.stat()
            version = (found.st_ino, found.st_mtime_ns, found.st_size)
        except FileNotFoundError:
            self._by_hash = {}
        if version != self._read:
            self._by_hash = {token.sha256: token.name for token in self.all()}
            self._read = version
        return self._by_hash.get(sha256)

    def _change(self, change: Callable[[list[Token]], list[Token]]) -> None:
        """Raises StoreFull or StoreUnusable where it can't be written, or its owner not read it."""
        folder = self._path.parent
        ownership.judge(folder)
        try:
            if folder.exists() and not (folder / database.FILE).exists():
                _judge_unused(folder)
            with self._locked():
                content = msgspec.json.encode(change(self.all()))
                lines = msgspec.json.format(content) + b"\n"
                private.write(self._path, lines, lasting=True)  # what was revoked stays so
        except OSError as error:
            raise from_os(error, folder) from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time, whatever process it's in."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = Lock(str(self._path.with_suffix(".lock")))
        deadline = time.monotonic() + _PATIENCE
        while not lock.take():
            if time.monotonic() > deadline:
                raise StoreLocked(f"another process keeps {lock.path} (try again)")
            time.sleep(_PAUSE)
        try:
            yield
        finally:
            lock.release()


def _judge_unused(folder: Path) -> None:
    """Whoever starts the first manager there must be able to read what we write.

    Raises StoreUnusable where that will be another account; OSError.
    """
    if found := ownership.trouble(folder):
        raise StoreUnusable(f"{found} (do this as that account, or choose another --store)")


def digest(secret: str) -> str:
    """What is kept of a token's secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
