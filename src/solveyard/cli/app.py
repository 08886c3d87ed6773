"""The commands, and what surrounds each of them: options for all, errors, exit status."""

import importlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from solveyard import __version__
from solveyard.cli import exits, talk
from solveyard.cli.here import Here, current_folder
from solveyard.model import paths
from solveyard.model.errors import InvalidRequest, SolveyardError

#: A command line that may follow: what comes after it isn't ours to read.
_RUNS = {"allow_interspersed_args": False}
#: A negative number is no option.
_NUMBERS = {"ignore_unknown_options": True}
#: What it doesn't know is an option of serve.
_SERVES = {"ignore_unknown_options": True}
#: Nor is a tag that is taken away, be it -h.
_TAGS = {"ignore_unknown_options": True, "help_option_names": ["--help"]}
#: Name of a command to its module, in which it is a function, and its settings.
COMMANDS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "demo": ("serving", {}),
    "serve": ("serving", {}),
    "stop": ("serving", {}),
    "run": ("submitting", _RUNS),
    "submit": ("submitting", _RUNS),
    "hfss": ("hfss", {}),
    "ps": ("looking", {}),
    "show": ("looking", {}),
    "logs": ("looking", {}),
    "files": ("looking", {}),
    "results": ("results", {}),
    "hfss-log": ("hfss_log", {}),
    "cancel": ("acting", {}),
    "retry": ("acting", {}),
    "hold": ("acting", {}),
    "release": ("acting", {}),
    "priority": ("acting", _NUMBERS),
    "note": ("acting", {}),
    "tag": ("acting", _TAGS),
    "rm": ("acting", {}),
    "prune": ("pruning", {}),
    "wait": ("acting", {}),
    "limits": ("limiting", {}),
    "shares": ("shares", {}),
    "cluster": ("clusters", {}),
    "doctor": ("serving", {}),
    "token": ("tokens", {}),
    "notify": ("notifying", {}),
    "config": ("configuring", {}),
    "health": ("serving", {}),
    "service": ("services", _SERVES),
}

#: What goes before the command.
_EVERYWHERE = ("--store", "--url")


def application(names: Iterable[str]) -> typer.Typer:
    """The commands of these names. typer takes 1 ms for each option of each: build what is used."""
    app = typer.Typer(
        name="solveyard",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(epilog=exits.HELP)(begin)
    for name in names:
        module, settings = COMMANDS[name]
        command = getattr(
            importlib.import_module(f"solveyard.cli.{module}"), name.replace("-", "_")
        )
        app.command(name, epilog=exits.HELP, context_settings=dict(settings))(command)
    return app


def _version(asked: bool) -> None:
    if asked:
        talk.answer(f"solveyard {__version__}")
        raise typer.Exit


def begin(
    context: typer.Context,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="The store; else $SOLVEYARD_HOME, else the platform's data folder."
        ),
    ] = None,
    url: Annotated[
        str,
        typer.Option(help="A manager elsewhere, with $SOLVEYARD_TOKEN; else $SOLVEYARD_URL."),
    ] = "",
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_version, help="Print the version."),
    ] = False,
) -> None:
    """A job manager for simulations. `solveyard COMMAND --help` says more."""
    if store is not None and not store:
        raise InvalidRequest("--store names no folder: it is empty (is its variable set?)")
    context.obj = Here(None if store is None else Path(store), url)


def run(given: Sequence[str]) -> int:
    """Run one command line; returns its exit status. Whatever goes wrong as it may is one line."""
    ours = list(given[: given.index("--")]) if "--" in given else list(given)
    as_json = "--json" in ours
    named = _command(ours)
    try:
        _check(given)
        command = typer.main.get_command(application([named] if named else COMMANDS))
        status = command.main(
            list(given) or ["--help"], prog_name="solveyard", standalone_mode=False
        )
        sys.stdout.flush()
    except typer.TyperException as error:
        exits.tell(_misused(error, given), as_json=as_json)
        return exits.USAGE
    except talk.NobodyReads:
        return exits.OK
    except (typer.Abort, KeyboardInterrupt):
        return exits.INTERRUPTED
    except (SolveyardError, TimeoutError, OSError) as error:
        meant = _meant(error)
        exits.tell(exits.told(meant), as_json=as_json)
        return exits.status(meant)
    return status if isinstance(status, int) else exits.OK


def _check(given: Sequence[str]) -> None:
    """Raises InvalidRequest for an argument that no specification or address can hold."""
    for argument in given:
        if (spelt := paths.spelt(argument)) != argument:
            raise InvalidRequest(f"the argument {spelt!r} isn't UTF-8 (%FF is a byte of it)")


def _meant(
    error: SolveyardError | TimeoutError | OSError,
) -> SolveyardError | TimeoutError | OSError:
    """Of a folder that is gone, the system says only that there is no such file."""
    if isinstance(error, FileNotFoundError) and error.filename is None:
        try:
            current_folder()
        except InvalidRequest as gone:
            return gone
    return error


def _command(given: Sequence[str]) -> str:
    """The command that is named; "" where none is, or one that there isn't."""
    words = iter(given)
    for word in words:
        if word in _EVERYWHERE:
            next(words, None)
        elif not word.startswith(("--store=", "--url=")):
            return word if word in COMMANDS else ""
    return ""


def _misused(error: typer.TyperException, given: Sequence[str]) -> str:
    """What is wrong with the words, and the way out: an option may be in the wrong place."""
    option, context = getattr(error, "option_name", ""), getattr(error, "ctx", None)
    name = next((word for word in given if word in COMMANDS), "")
    if option and name and context is not None and context.parent is None:
        command = typer.main.get_command(application([name]))
        if isinstance(command, TyperGroup):
            command = command.commands[name]
        if any(option in parameter.opts for parameter in command.params):
            return (
                f"{option} goes after the command (solveyard {name} {option}); before it there are"
                " --store and --url alone"
            )
    if option in _EVERYWHERE and name:
        return f"{option} goes before the command (solveyard {option} ... {name})"
    return f"{error.format_message()} ({_help(error)})"


def _help(error: typer.TyperException) -> str:
    """The command that explains how the one that failed is used."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "solveyard"
    return f"{path} --help"
