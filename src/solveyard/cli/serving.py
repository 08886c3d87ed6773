"""serve, stop, health, doctor, demo: the manager itself."""

import importlib
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solveyard.cli import background, exits, talk, units
from solveyard.cli.here import Here, Json, here
from solveyard.client import find
from solveyard.model.errors import InvalidRequest

if TYPE_CHECKING:
    from solveyard.serve import ServeOptions

STOP_TIME = "60"
_HOW = {
    "leave": "what ran goes on, and the next manager finds it again",
    "drain": "what ran was ended (TERM, KILL after 30 s)",
    "now": "what ran was ended at once",
}


def serve(  # noqa: PLR0913, PLR0917  typer makes an option of each
    context: typer.Context,
    cores: Annotated[
        int | None, typer.Option(min=1, help="Cores that jobs may use; else all there are.")
    ] = None,
    max_concurrent: Annotated[
        int | None, typer.Option(min=0, help="Jobs that run at once; kept in the store.")
    ] = None,
    on_stop: Annotated[
        str, typer.Option(metavar="leave|drain", help="What a stop does with running jobs.")
    ] = "",
    idle_exit: Annotated[
        str, typer.Option(metavar="TIME", help="Leave after this time without work.")
    ] = "",
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Where HTTP listens; else 8080, or a free one if that's busy."
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on; else this machine alone.")
    ] = "",
    allow: Annotated[
        list[str],
        typer.Option(metavar="SOLVER", help="A solver that may be used over HTTP: command."),
    ] = [],  # noqa: B006  typer reads it, and makes a new list
    project_root: Annotated[
        list[Path],
        typer.Option(metavar="DIR", help="A folder in which jobs may run that come over HTTP."),
    ] = [],  # noqa: B006  as above
    ansysedt: Annotated[
        list[Path],
        typer.Option(metavar="PATH", help="An ansysedt that may be run by jobs over HTTP."),
    ] = [],  # noqa: B006  as above
    allowed_host: Annotated[
        list[str],
        typer.Option(metavar="NAME", help="A name, with its port, that browsers call it by."),
    ] = [],  # noqa: B006  as above
    tls_certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Encrypt HTTP with it, in PEM form.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its key, which others can't read.")
    ] = None,
    public_url: Annotated[
        str, typer.Option(metavar="URL", help="By which people come through a proxy.")
    ] = "",
    project: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where solveyard.toml is looked for; else the working folder."
        ),
    ] = None,
    in_background: Annotated[bool, typer.Option("--background", hidden=True)] = False,
    as_json: Json = False,
) -> int:
    """Run the manager in the foreground.

    What isn't given comes from the settings (solveyard config show).
    Until Ctrl-C, SIGTERM or `solveyard stop`. HTTP listens on this machine alone, where the
    kernel tells who calls; at any other --host everybody needs a token (solveyard token).
    """
    # aiohttp reads certificates as it is imported: meanwhile this thread imports our own modules
    threading.Thread(target=importlib.import_module, args=("aiohttp",), daemon=True).start()
    from solveyard import logs, readiness
    from solveyard import serve as service
    from solveyard.store.lease import LeaseTaken

    logs.to_standard_error("%(asctime)s %(levelname)s %(name)s: %(message)s")
    place, logged = here(context), readiness.expected()

    def started(running: service.Running) -> None:
        if service.exposed(options):
            _first_token(place, logged=logged)
        if as_json:
            told = {"url": running.url, "public_url": public_address}
            talk.answer_json(told | {"pid": os.getpid(), "store": str(place.folder)})
        else:
            public = f", for others at {public_address}/" if public_address else ""
            talk.answer(f"solveyard listens on {running.url}{public}, store {place.folder}")

    options = serve_options(
        cores=cores,
        max_concurrent=max_concurrent,
        on_stop=on_stop,
        idle_exit=idle_exit,
        port=port,
        host=host,
        allow=allow,
        project_root=project_root,
        ansysedt=ansysedt,
        allowed_host=allowed_host,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        public_url=public_url,
        project=project,
        in_background=in_background,
    )
    public_address = options.network.public_url if options.network is not None else ""
    try:
        service.run(place.folder, options, started)
    except service.PortTaken as error:
        raise exits.Refused(str(error)) from error
    except LeaseTaken as error:
        where = find.manager(place.folder) if error.holder.here else None
        url = f"; it listens on {where.url}" if where is not None else ""
        raise exits.Refused(f"{error}{url}") from error
    return exits.OK


def _first_token(place: Here, *, logged: bool) -> None:
    """Who listens for other machines needs one; it is told once, where that isn't `logged`."""
    from solveyard.tokens import Tokens

    tokens = Tokens(place.folder)
    if tokens.all():
        return
    if logged:
        talk.say(
            "nobody can come in yet: what is said here is logged, so no token was made"
            f" (solveyard {place.options}token create NAME)"
        )
    else:
        secret = tokens.create("first")
        talk.say(f"token 'first', shown this once: {secret} (more: solveyard token create NAME)")


def serve_options(  # noqa: PLR0913  what `serve` takes
    *,
    cores: int | None,
    max_concurrent: int | None,
    on_stop: str,
    idle_exit: str,
    port: int | None,
    host: str,
    allow: list[str],
    project_root: list[Path],
    ansysedt: list[Path],
    allowed_host: list[str],
    tls_certificate: Path | None,
    tls_key: Path | None,
    public_url: str,
    project: Path | None,
    in_background: bool,
) -> "ServeOptions":
    """What the command line says, and the settings where it doesn't. Raises InvalidRequest."""
    from solveyard import config
    from solveyard.config import serving

    if on_stop not in {"", "leave", "drain"}:
        raise InvalidRequest(f"--on-stop is leave or drain, not {on_stop!r}")
    given = {
        "cores": ("--cores", cores),
        "limits.max_concurrent": ("--max-concurrent", max_concurrent),
        "on_stop": ("--on-stop", on_stop or None),
        "idle_exit": ("--idle-exit", units.seconds(idle_exit) if idle_exit else None),
        "port": ("--port", port),
        "host": ("--host", host or None),
        "allow": ("--allow", allow or None),
        "project_roots": ("--project-root", [root.absolute() for root in project_root] or None),
        "ansysedt": ("--ansysedt", [path.absolute() for path in ansysedt] or None),
        "allowed_hosts": ("--allowed-host", allowed_host or None),
        "tls_certificate": ("--tls-certificate", tls_certificate and tls_certificate.absolute()),
        "tls_key": ("--tls-key", tls_key and tls_key.absolute()),
        "public_url": ("--public-url", public_url or None),
    }
    found = config.load(
        config.Places.here(project),
        given={
            name: config.Given(option, value)
            for name, (option, value) in given.items()
            if value is not None
        },
    )
    options = serving.service(found, idle_exit=background.IDLE_EXIT if in_background else None)
    return replace(options, background=in_background, succeeds=not in_background)


def stop(
    context: typer.Context,
    drain: Annotated[
        bool, typer.Option("--drain", help="End running jobs: TERM, KILL after 30 s.")
    ] = False,
    leave: Annotated[
        bool, typer.Option("--leave-running", help="Running jobs go on without a manager.")
    ] = False,
    now: Annotated[bool, typer.Option("--now", help="End running jobs at once.")] = False,
    timeout: Annotated[str, typer.Option(help="How long to wait for it.")] = STOP_TIME,
    as_json: Json = False,
) -> int:
    """Stop the manager.

    Waits until it has gone; exits with 3 where none runs. Without an option running jobs are
    treated as `serve --on-stop` said: left, by default.
    """
    chosen = [word for word, given in (("drain", drain), ("leave", leave), ("now", now)) if given]
    if len(chosen) > 1:
        raise InvalidRequest("choose one of --drain, --leave-running and --now")
    place = here(context)
    told = background.stop(place.folder, chosen[0] if chosen else None, units.seconds(timeout))
    if as_json:
        talk.answer_json({"success": True, "how": told["how"], "running": told["running"]})
    else:
        running = int(told["running"])
        jobs = {0: "no job ran", 1: "one job ran"}.get(running, f"{running} jobs ran")
        talk.answer(f"stopped; {jobs}" + (f": {_HOW[told['how']]}" if running else ""))
    return exits.OK


def health(context: typer.Context, as_json: Json = False) -> int:
    """Ask whether the manager answers.

    By its private socket, so no token is needed; exits with 3 where none answers.
    """
    with here(context).client() as client:
        client.healthy()
    if as_json:
        talk.answer_json({"success": True})
    else:
        talk.answer("the manager answers")
    return exits.OK


def doctor(context: typer.Context, as_json: Json = False) -> int:
    """Check machine, store and manager.

    Exits with 1 where something fails.
    """
    from solveyard.cli import checks

    found = checks.all_of(here(context))
    failed = any(check.status == "fail" for check in found)
    if as_json:
        talk.answer_json({"success": not failed, "checks": [check._asdict() for check in found]})
    else:
        for check in found:
            talk.answer(f"{check.status:<5} {check.name:<9} {check.found}")
            if check.way_out:
                talk.answer(f"{'':<15} → {check.way_out}")
    return exits.NOT_SUCCEEDED if failed else exits.OK


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the manager running.")] = False,
    folder: Annotated[
        Path, typer.Option(metavar="DIR", help="Where results go; the store is in it.")
    ] = Path("demo-results"),
    as_json: Json = False,
) -> int:
    """Solve a sweep of dipoles and plot it.

    11 lengths from 0.40 m to 0.60 m by the NEC2 method of moments, in a store of its own.
    """
    from solveyard.cli import sweep

    return sweep.demo(folder.absolute(), keep=keep, as_json=as_json)
