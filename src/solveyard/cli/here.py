"""What holds for one run of the command line: which store, and who answers for it."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from solveyard.cli import talk
from solveyard.client import find
from solveyard.client.find import Address
from solveyard.client.sync import Client
from solveyard.model import paths
from solveyard.model.errors import InvalidRequest, ManagerUnavailable
from solveyard.places import store_folder

if TYPE_CHECKING:
    from solveyard.cli.archive import Archive

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, on standard output alone.")]
Selectors = Annotated[
    list[str],
    typer.Argument(metavar="SELECTOR...", help="A name, a number, last, 3,5-9, sweep[3] or all."),
]


class Here:
    """The store, or the manager elsewhere, that a command is about."""

    def __init__(self, given: Path | None, url: str = "") -> None:
        """Neither: $SOLVEYARD_URL, else the default store."""
        if given is not None and url:
            raise InvalidRequest("give --store or --url, not both")
        self._given, self._url = given, url

    @cached_property
    def remote(self) -> Address | None:
        """None: it's a store of this machine. Raises InvalidRequest."""
        if self._url:
            return find.remote(self._url)
        if self.given or not (where := find.elsewhere()):
            return None
        try:
            return find.remote(where)
        except InvalidRequest as error:
            raise InvalidRequest(f"SOLVEYARD_URL: {error}") from error

    @property
    def given(self) -> bool:
        """By --store?"""
        return self._given is not None

    @property
    def folder(self) -> Path:
        """The store's. Raises InvalidRequest where a manager elsewhere was asked for."""
        if self._url:
            raise InvalidRequest("this command is about a store of this machine (leave out --url)")
        return store_folder(self._given)

    @property
    def options(self) -> str:
        """What to type in front of a command so that it finds the same jobs."""
        if self._url:
            return f"--url {shlex.quote(self._url)} "
        return f"--store {shlex.quote(str(self.folder))} " if self.given else ""

    def client(self) -> Client:
        """For its manager; that none runs is known when it is asked something."""
        return Client(self.remote or self.folder)

    @contextmanager
    def reading(self) -> Iterator["Client | Archive | None"]:
        """The manager where one answers, else the store's files; None: there is no store."""
        client = self.client()
        if self.remote is not None:
            with client:
                yield client
            return
        try:
            client.healthy()
        except ManagerUnavailable as error:
            client.close()
            from solveyard.store.database import FILE

            if not (self.folder / FILE).exists():
                yield None
                return
            from solveyard.cli.archive import Archive

            with Archive(self.folder) as archive:
                talk.say(f"note: {error}; states are as last recorded")
                yield archive
        else:
            with client:
                yield client


def current_folder() -> str:
    """The one that the command was typed in. Raises InvalidRequest where no job can run in it."""
    try:
        found = str(Path.cwd())
    except FileNotFoundError as error:
        raise InvalidRequest(
            "the current folder is gone (change to one that is there: cd; or back to a new one of"
            ' its name: cd "$PWD")'
        ) from error
    if (spelt := paths.spelt(found)) != found:
        raise InvalidRequest(
            f"the name of the current folder isn't UTF-8: {spelt!r} (change to another)"
        )
    return found


def absolute(path: str) -> str:
    """`path` as a manager needs it, wherever it was typed. Raises InvalidRequest."""
    whole = Path(path).expanduser()
    return str(whole if whole.is_absolute() else Path(current_folder(), whole))


def here(context: typer.Context) -> Here:
    return cast(Here, context.obj)  # what the app's callback put there
