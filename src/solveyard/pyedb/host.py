"""The manager of a store as PyEDB's users know it: it listens where they said."""

import contextlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solveyard.client import find
from solveyard.places import store_folder
from solveyard.pyedb import errors
from solveyard.yard import Yard

if TYPE_CHECKING:
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
        folder = store_folder(store)
        with errors.translated():
            super().__init__(folder)
            try:
                self._listens()
            except BaseException:
                self.close()
                raise

    @property
    def url(self) -> str:
        """Where it listens now."""
        assert self.store is not None
        with errors.translated():
            return find.running(self.store).url

    def _listens(self) -> None:
        """Where another process has the manager, that must listen there."""
        if self._port is None or self._embedded is not None:
            return
        assert self.store is not None
        where = find.running(self.store)
        if where.port != self._port:
            raise errors.ServiceError(
                f"process {where.pid} has the store {self.store}, and listens at {where.url}"
                f" (give its port, stop it with solveyard stop, or give another store)"
            )

    def _serve_options(self) -> "ServeOptions":
        from solveyard import config, serve
        from solveyard.config import serving

        given = {}
        for name, value in self._given().items():
            given[name] = config.Given("JobManagerHandler", value)
        found = config.load(config.Places.here(), given=given)
        if self._port is None:
            return serving.embedded(found, on_stop="leave")
        options = replace(serving.service(found), idle_exit=None, on_stop="leave")
        if serve.exposed(options):
            assert self.store is not None
            first_token(Path(self.store))
        return options

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


def first_token(folder: Path) -> None:
    """Who listens for other machines needs one; it is told once, on standard error."""
    from solveyard.tokens import Tokens

    tokens = Tokens(folder)
    if not tokens.all():
        secret = tokens.create("first")
        with contextlib.suppress(OSError):
            sys.stderr.write(
                f"token 'first', shown this once: {secret} (more: solveyard token create NAME)\n"
            )
