"""What holds for one run of the command line: which store, and who answers for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from solveyard.cli import talk
from solveyard.client.sync import Client
from solveyard.model.errors import ManagerUnavailable
from solveyard.places import store_folder

if TYPE_CHECKING:
    from solveyard.cli.archive import Archive

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, on standard output alone.")]
Selectors = Annotated[
    list[str],
    typer.Argument(metavar="SELECTOR...", help="A name, a number, last, 3,5-9 or all."),
]


class Here:
    """The store that a command is about."""

    def __init__(self, given: Path | None) -> None:
        self.folder = store_folder(given)

    @property
    def options(self) -> str:
        """What to type in front of a command so that it finds the same store."""
        return "" if self.folder == store_folder() else f"--store {self.folder} "

    def client(self) -> Client:
        """For its manager; that none runs is known when it is asked something."""
        return Client(self.folder)

    @contextmanager
    def reading(self) -> Iterator["Client | Archive | None"]:
        """The manager where one answers, else the store's files; None: there is no store."""
        client = Client(self.folder)
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


def here(context: typer.Context) -> Here:
    return cast(Here, context.obj)  # what the app's callback put there
