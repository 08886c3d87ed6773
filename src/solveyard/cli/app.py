"""The commands, and what surrounds each of them: options for all, errors, exit status."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from solveyard import __version__
from solveyard.cli import acting, exits, looking, serving, submitting, talk
from solveyard.cli.here import Here
from solveyard.model.errors import SolveyardError

app = typer.Typer(
    name="solveyard",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
#: A command line that may follow: what comes after it isn't ours to read.
_RUNS = {"allow_interspersed_args": False}
#: A negative number is no option.
_NUMBERS = {"ignore_unknown_options": True}

for command, settings in (
    (serving.demo, None),
    (serving.serve, None),
    (serving.stop, None),
    (submitting.run, _RUNS),
    (submitting.submit, _RUNS),
    (looking.ps, None),
    (looking.show, None),
    (looking.logs, None),
    (looking.files, None),
    (acting.cancel, None),
    (acting.retry, None),
    (acting.hold, None),
    (acting.release, None),
    (acting.priority, _NUMBERS),
    (acting.rm, None),
    (acting.wait, None),
    (serving.doctor, None),
):
    app.command(epilog=exits.HELP, context_settings=settings)(command)


def _version(asked: bool) -> None:
    if asked:
        talk.answer(f"solveyard {__version__}")
        raise typer.Exit


@app.callback(epilog=exits.HELP)
def begin(
    context: typer.Context,
    store: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The store; else $SOLVEYARD_HOME, else the platform's data folder."
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_version, help="Print the version."),
    ] = False,
) -> None:
    """A job manager for simulations. `solveyard COMMAND --help` says more."""
    context.obj = Here(store)


def run(given: Sequence[str]) -> int:
    """Run one command line; returns its exit status. Whatever goes wrong as it may is one line."""
    ours = list(given[: given.index("--")]) if "--" in given else list(given)
    as_json = "--json" in ours
    command = typer.main.get_command(app)
    try:
        status = command.main(
            list(given) or ["--help"], prog_name="solveyard", standalone_mode=False
        )
        sys.stdout.flush()
    except typer.TyperException as error:
        exits.tell(f"{error.format_message()} ({_help(error)})", as_json=as_json)
        return exits.USAGE
    except talk.NobodyReads:
        return exits.OK
    except (typer.Abort, KeyboardInterrupt):
        return exits.INTERRUPTED
    except (SolveyardError, TimeoutError, OSError) as error:
        exits.tell(exits.told(error), as_json=as_json)
        return exits.status(error)
    return status if isinstance(status, int) else exits.OK


def _help(error: typer.TyperException) -> str:
    """The command that explains how the one that failed is used."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "solveyard"
    return f"{path} --help"
