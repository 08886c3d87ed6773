"""The manager of a store as PyEDB's users know it: it listens where they said."""

import contextlib
import ipaddress
import os
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solveyard.client import find
from solveyard.client.find import Address
from solveyard.client.sync import Client
from solveyard.model.errors import SolveyardError
from solveyard.places import store_folder
from solveyard.pyedb import errors
from solveyard.pyedb.watch import Watch
from solveyard.yard import Yard

if TYPE_CHECKING:
    from solveyard.embedded import Embedded
    from solveyard.serve import ServeOptions

_LOOPBACK = frozenset({"", "localhost"})


class Host(Yard):
    """A Yard that listens at `host` and `port`; without a port it doesn't listen."""

    def __init__(
        self,
        store: str | Path | None = None,
        *,
        host: str = "",
        port: int | None = None,
        programs: tuple[str, ...] = (),
    ) -> None:
        """`programs`: ansysedts that may run over HTTP beside those found here.

        Raises ServiceError where the port is taken, or the store can't be opened.
        """
        self._host = "" if host in _LOOPBACK else host
        self._port = port
        self._programs = programs
        self.folder = folder = store_folder(store)
        self._lent = threading.RLock()
        self._let_go = False  #: it is closed, so that nobody is to listen for it
        self._lender: Client | None = None  #: while it is open, another's manager listens for us
        self._lent_by = ""  #: that manager, by its token
        self._lent_to = 0  #: the process that asked: this one, or a parent
        self._lent_id = ""
        self._seen: Address | None = None  #: where the manager was; our own may be told to stop
        with errors.translated():
            super().__init__(folder)
        self._watch = Watch(self._follow)

    @property
    def port(self) -> int:
        """Where it listens now."""
        assert self.store is not None
        with errors.translated():
            return self._port or find.running(self.store).port

    def close(self) -> None:
        """As a Yard; the port that it listened at is free then."""
        self._watch.end()
        self._know_process()
        with self._lent:
            self._let_go = True
            lender, self._lender = self._lender, None
            if lender is not None:
                if self._lent_to == os.getpid():
                    self._give_back()
                lender.close()
        super().close()

    def _locate(self) -> Address:
        """Where another process has the manager, that listens for us, too."""
        where = super()._locate()
        ours = where.pid == os.getpid() and self._embedded is not None
        if self._port == 0 and not ours:
            self._port = where.port or _free_port()
        if self._port is not None and not ours and where.port != self._port:
            with self._lent:
                if not self._let_go and (self._lent_by != where.token or self._lender is None):
                    self._borrow(where, self._port)
        self._seen = where._replace(embedded=where.embedded and not ours)
        return where

    def _follow(self) -> None:
        """Be there, or have another's manager listen for us, though nobody asks us anything.

        Another's that ended with its program is succeeded; a service is left to who runs it.
        """
        where, before = find.manager(self.folder), self._seen
        if where is None or find.gone(where):
            missed = before is not None and before.embedded
        else:
            missed = before is None or before.token != where.token
        if missed:
            self._locate()

    def _know_process(self) -> None:
        if self._process != os.getpid():
            self._lent = threading.RLock()  # a thread that isn't here may have held it
        super()._know_process()

    def _borrow(self, where: Address, port: int) -> None:
        """Raises Conflict where the port is taken."""
        if self._lender is not None:
            self._lender.close()
            self._lender = None
        lender = Client(where)
        try:
            lent = lender.open_port(port, self._host)
            if self._host and not _loopback(self._host):
                first_token(self.folder)
        except BaseException:
            lender.close()
            raise
        self._lender, self._lent_by = lender, where.token
        self._lent_to, self._lent_id = os.getpid(), lent

    def _give_back(self) -> None:
        assert self.store is not None
        with contextlib.suppress(SolveyardError), Client(self.store, patience=0) as client:
            client.close_port(self._lent_id)

    def _embed(self, folder: Path) -> "Embedded":
        from solveyard.embedded import Embedded
        from solveyard.serve import exposed

        options = self._serve_options()
        embedded = Embedded(folder, options)
        if exposed(options):
            try:
                first_token(folder)
            except BaseException:
                embedded.close()
                raise
        return embedded

    def _serve_options(self) -> "ServeOptions":
        from solveyard import config
        from solveyard.config import serving

        given = {}
        for name, value in self._given().items():
            given[name] = config.Given("JobManagerHandler", value)
        found = config.load(config.Places.here(), given=given)
        if self._port is None:
            return serving.embedded(found, on_stop="leave")
        return replace(serving.service(found), idle_exit=None, on_stop="leave")

    def _given(self) -> dict[str, Any]:
        if self._port is None:
            return {}
        given: dict[str, Any] = {"port": self._port}
        if self._host:
            given["host"] = self._host
        there = [path for one in self._programs if (path := Path(one)).is_file()]
        if there:
            given["ansysedt"] = there
        return given


def _free_port() -> int:
    """Free a moment ago: whoever takes it first has it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def first_token(folder: Path) -> None:
    """Who listens for other machines by now needs one; it is told once, on standard error."""
    from solveyard.tokens import Tokens

    tokens = Tokens(folder)
    if not tokens.all():
        secret = tokens.create("first")
        with contextlib.suppress(OSError):
            sys.stderr.write(
                f"token 'first', shown this once: {secret} (more: solveyard token create NAME)\n"
            )
