"""config: which settings hold, and where each comes from."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solveyard.cli import exits, talk
from solveyard.cli.here import Json
from solveyard.model.errors import InvalidRequest

if TYPE_CHECKING:
    from solveyard.config import Found


def config(
    what: Annotated[str, typer.Argument(metavar="show|check|path")],
    file: Annotated[str, typer.Argument(metavar="[FILE]")] = "",
    origin: Annotated[
        bool, typer.Option("--origin", help="Say where each comes from, and what is locked.")
    ] = False,
    project: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where solveyard.toml is looked for; else the working folder."
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Show and check the settings, as a manager would have them that was started here.

    `show` prints them; `check [FILE]` reads them, or one file, and says what is wrong; `path`
    names the files they are looked for in, the strongest last.
    """
    from solveyard import config as settings

    places = settings.Places.here(project)
    match what, file:
        case "show", "":
            _show(settings.load(places), origin=origin, as_json=as_json)
        case "check", _:
            _check(settings.load(places.only(Path(file).absolute()) if file else places), as_json)
        case "path", "":
            _path(places.by_kind(), as_json)
        case _:
            raise InvalidRequest("it is: config show, config check [FILE], or config path")
    return exits.OK


def _show(found: "Found", *, origin: bool, as_json: bool) -> None:
    names = found.names()
    if as_json:
        talk.answer_json(
            [
                {
                    "key": name,
                    "value": _plain(found.value(name)),
                    "origin": found.origin(name),
                    "locked": found.locked(name) or None,
                }
                for name in names
            ]
        )
        return
    lines = [f"{name} = {_written(found.value(name))}" for name in names]
    if origin:
        width = max(map(len, lines))
        for index, name in enumerate(names):
            locked = f", locked by {place}" if (place := found.locked(name)) else ""
            lines[index] = f"{lines[index].ljust(width)}  # {found.origin(name)}{locked}"
    talk.answer("\n".join(lines))


def _check(found: "Found", as_json: bool) -> None:
    """As a manager that starts would find out. Secrets are read, too; what they are is not said."""
    from solveyard.config import serving

    for name, source in found.settings.secrets.items():
        try:
            source.secret.read()
        except InvalidRequest as error:
            raise found.wrong(f"secrets.{name}", str(error)) from error
    serving.service(found)
    files = [str(path) for path in found.files]
    if as_json:
        talk.answer_json({"success": True, "files": files})
    else:
        talk.answer("\n".join(f"{path}: all right" for path in files) or "no file: defaults hold")


def _path(places: dict[str, Path | None], as_json: bool) -> None:
    if as_json:
        talk.answer_json({kind: str(path) if path else None for kind, path in places.items()})
        return
    for kind, path in places.items():
        there = "" if path is None or path.is_file() else "  (not there)"
        talk.answer(f"{kind:<8} {path or 'none'}{there}")


def _plain(value: Any) -> Any:  # what JSON has, of any setting
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _written(value: Any) -> str:  # as TOML has it, of any setting
    import json

    match _plain(value):
        case None:
            return "(not set)"
        case bool() | int() | float() | str() | list() as plain:
            return json.dumps(plain, ensure_ascii=False)
        case table:
            return "{ " + ", ".join(f"{k} = {json.dumps(v)}" for k, v in table.items()) + " }"
