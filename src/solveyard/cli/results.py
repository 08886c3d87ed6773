"""results: one table of parameters and measured values."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solveyard.cli import selectors, talk, units
from solveyard.cli.here import Json, here
from solveyard.client.sync import Client
from solveyard.model.arrays import text
from solveyard.model.errors import InvalidRequest, UnknownJob
from solveyard.model.overlaid import all_of
from solveyard.results import picture

if TYPE_CHECKING:
    from solveyard.cli.archive import Archive

PAGE = 200  #: curves that are asked for at once
SHOWN = 5  #: of those without one, which are named


def results(
    context: typer.Context,
    selector: Annotated[str, typer.Argument(help="A name, a number, last, sweep[3,5-9].")],
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV.")] = False,
    save: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Save it as.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw S-parameters: .svg, .png, .pdf.")
    ] = None,
    parameter: Annotated[str, typer.Option("--s", metavar="21", help="Which of them.")] = "11",
    touchstone: Annotated[
        str, typer.Option(metavar="PATH", help="Of which file in their folders.")
    ] = "",
    as_json: Json = False,
) -> int:
    """Tell what jobs were given and what was measured.

    A row for each task of an array, or one for a job. A file's name that ends with .csv or .json
    says its form. With --plot also one scattering parameter of all of them in one picture.
    """
    if as_csv and as_json:
        raise InvalidRequest("say --csv or --json, not both")
    ending = save.suffix.lower() if save is not None else ""
    as_csv = as_csv or (ending == ".csv" and not as_json)
    as_json = as_json or (ending == ".json" and not as_csv)
    if save is not None and not (as_csv or as_json):
        raise InvalidRequest(f"say in which form {save} is to be: --csv or --json")
    with here(context).reading() as source:
        if source is None:
            raise UnknownJob("there is no job yet (submit one: solveyard submit -- COMMAND)")
        selector = selectors.meant(source, selector)
        if plot is not None:
            draw(source, selector, plot, parameter, touchstone)
        if as_csv:
            _put(source.results_csv(selector), save)
            return 0
        rows = source.results(selector)
    if as_json:
        _put([talk.json_line(rows)], save)
    else:
        tell(rows)
    return 0


def tell(rows: Sequence[Mapping[str, object]]) -> None:
    """As a table."""
    header = [name.upper() for name in rows[0]]
    talk.answer_table(header, [[_cell(value) for value in row.values()] for row in rows])


def draw(
    source: "Client | Archive",
    selector: str | int,
    place: Path,
    parameter: str = "11",
    path: str = "",
) -> None:
    """One scattering parameter of all of them. Raises InvalidRequest where there is none."""
    found = all_of(lambda offset: source.overlay(selector, parameter, path, PAGE, offset))
    picture.draw(place, found, str(selector), parameter)
    missing = [one for one in found if one.trouble]
    talk.say(f"drawn {place}: S{parameter} of {len(found) - len(missing)} of {len(found)}")
    for one in missing[:SHOWN]:
        talk.say(f"note: {one.id}: {one.trouble}")


def _put(pieces: Iterable[bytes], place: Path | None) -> None:
    if place is None:
        for piece in pieces:
            talk.answer_bytes(piece)
        return
    size = _written(pieces, place)
    talk.say(f"saved {place} ({units.size(size)})")


def _written(pieces: Iterable[bytes], place: Path) -> int:
    """Returns the number of bytes. The file is there once the first piece has come."""
    waiting: Iterator[bytes] = iter(pieces)
    first = next(waiting, b"")
    try:
        with place.open("wb") as file:
            size = file.write(first)
            for piece in waiting:
                size += file.write(piece)
    except OSError as error:
        raise InvalidRequest(f"cannot write {place}: {error.strerror}") from error
    return size


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case float():
            return f"{value:.6g}"
        case str() | int():
            return text(value)
        case _:
            return str(value)
