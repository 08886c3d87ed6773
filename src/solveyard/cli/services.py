"""service: the manager as a service that systemd starts, watches and stops."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from solveyard.cli import exits, systemd, talk
from solveyard.cli.here import Here, Json, here
from solveyard.model.errors import InvalidRequest

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LINGER = Path("/var/lib/systemd/linger")
_PROPERTIES = ("LoadState", "ActiveState", "SubState", "MainPID", "StatusText", "Result")


def service(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="install|show|uninstall|status")],
    options: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SERVE'S OPTIONS]...", help="See solveyard serve --help."),
    ] = None,
    user: Annotated[
        bool, typer.Option("--user", help="A service of your own; so by default.")
    ] = False,
    system: Annotated[bool, typer.Option("--system", help="A service of the machine.")] = False,
    account: Annotated[
        str, typer.Option(metavar="NAME", help="With --system: whose jobs they are.")
    ] = "",
    name: Annotated[
        str, typer.Option(help="The unit's name; another for each store.")
    ] = "solveyard",
    force: Annotated[
        bool, typer.Option("--force", help="Replace or remove a unit that somebody else wrote.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Have systemd start, watch and stop the manager.

    `install` writes a unit, enables and starts it; `show` prints it and changes nothing;
    `status` tells how it is, and exits with 3 where it doesn't run; `uninstall` stops it and
    removes the unit, never the store. A stop ends what runs, unless --on-stop leave is given.
    """
    if sys.platform != "linux":
        raise InvalidRequest("systemd is Linux's alone; here, start `solveyard serve` otherwise")
    if user and system:
        raise InvalidRequest("choose one of --user and --system")
    if not _NAME.fullmatch(name):
        raise InvalidRequest(f"{name!r} is no name for a unit: letters, digits, '_', '.' and '-'")
    match what:
        case "install" | "show":
            unit = _unit(here(context), options or [], system=system, account=account, name=name)
            return _show(unit, as_json) if what == "show" else _install(unit, force, as_json)
        case "uninstall" | "status" if not options:
            return (
                _status(name, system=system, as_json=as_json)
                if what == "status"
                else _uninstall(name, force, system=system, as_json=as_json)
            )
        case _:
            raise InvalidRequest(
                "it is: service install or show, with serve's options, service uninstall, or"
                " service status"
            )


def _unit(place: Here, given: list[str], *, system: bool, account: str, name: str) -> systemd.Unit:
    """Raises InvalidRequest for what `serve` would refuse."""
    options, on_stop = _checked(given)
    if set(sys.executable) & set("\"'\\"):
        raise InvalidRequest(
            f"systemd starts no program whose path has quotes or backslashes: {sys.executable}"
            " (install solveyard elsewhere)"
        )
    if not system:
        if account:
            raise InvalidRequest("--account is for --system: your own service runs as yourself")
        return systemd.Unit(
            name=name, account="", store=place.folder, options=options, drain=on_stop == "drain"
        )
    if not account:
        raise InvalidRequest("say whose account the jobs run under: --account NAME")
    if not _known(account):
        raise InvalidRequest(
            f"there is no account {account!r} (make one: useradd --system --create-home {account})"
        )
    store = place.folder if place.given else None
    return systemd.Unit(
        name=name, account=account, store=store, options=options, drain=on_stop == "drain"
    )


def _checked(given: list[str]) -> tuple[list[str], str]:
    """`serve`'s options in full, paths absolute, and its --on-stop: "drain" unless given."""
    from solveyard.cli import serving
    from solveyard.cli.app import application

    group = typer.main.get_command(application(["serve"]))
    command = group.commands["serve"]  # type: ignore[attr-defined]  # a callback makes it a group
    with command.make_context("solveyard serve", ["--on-stop", "drain", *given]) as read:
        wanted = {name: value for name, value in read.params.items() if name != "as_json"}
    for name in ("allow", "project_root", "ansysedt", "allowed_host"):
        wanted[name] = list(wanted[name] or ())
    for name in ("project_root", "ansysedt"):
        wanted[name] = [Path(each).absolute() for each in wanted[name]]
    for name in ("tls_certificate", "tls_key", "project"):
        wanted[name] = wanted[name] and Path(wanted[name]).absolute()
    serving.serve_options(**wanted)
    words: list[str] = []
    for option in command.params:
        value = wanted.get(option.name) or None  # False: a switch that isn't given
        values = value if isinstance(value, list) else [value]
        words += [f"{option.opts[0]}={each}" for each in values if each is not None and each != ""]
    return words, str(wanted["on_stop"])


def _show(unit: systemd.Unit, as_json: bool) -> int:
    if as_json:
        talk.answer_json({"success": True, "unit": str(unit.path), "text": unit.text()})
    else:
        talk.answer_exactly(unit.text().rstrip())
    return exits.OK


def _install(unit: systemd.Unit, force: bool, as_json: bool) -> int:
    path, system = unit.path, bool(unit.account)
    _may_touch(path, force)
    before = path.read_text(errors="replace") if path.exists() else ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(unit.text(), errors="surrogateescape")
    except PermissionError as error:
        raise exits.Refused(f"cannot write {path}: {error.strerror} (sudo, or --user)") from error
    started = systemd.booted()
    if started:
        systemd.control("daemon-reload", system=system)
        systemd.control("enable", "--now", path.name, system=system)
    if as_json:
        talk.answer_json({"success": True, "unit": str(path), "started": started})
    else:
        talk.answer(f"{path}: {'installed and started' if started else 'written'}")
    if not started:
        talk.say("systemd does not run this machine: nothing was started")
    elif before not in {"", unit.text()}:
        scope = "" if system else "--user "
        talk.say(f"the unit has changed; where it ran: systemctl {scope}restart {unit.name}")
    if started and not system and not _lingers():
        talk.say("it ends when you log out, unless: loginctl enable-linger")
    return exits.OK


def _uninstall(name: str, force: bool, *, system: bool, as_json: bool) -> int:
    path = systemd.folder(system=system) / f"{name}.service"
    if not path.exists():
        raise InvalidRequest(f"there is no unit {path} (the machine's own: --system)")
    _may_touch(path, force)
    if systemd.booted():
        systemd.control("disable", "--now", path.name, system=system)
    try:
        path.unlink()
    except PermissionError as error:
        raise exits.Refused(f"cannot remove {path}: {error.strerror} (sudo)") from error
    if systemd.booted():
        systemd.control("daemon-reload", system=system)
    if as_json:
        talk.answer_json({"success": True, "unit": str(path)})
    else:
        talk.answer(f"{path}: removed; the store stays")
    return exits.OK


def _status(name: str, *, system: bool, as_json: bool) -> int:
    path = systemd.folder(system=system) / f"{name}.service"
    words = ["show", path.name, *(f"--property={each}" for each in _PROPERTIES)]
    lines = systemd.control(*words, system=system).splitlines()
    found = dict(line.partition("=")[::2] for line in lines)
    active = found.get("ActiveState") == "active"
    if as_json:
        told = {
            "success": active,
            "unit": str(path),
            "installed": found.get("LoadState") == "loaded",
            "state": found.get("ActiveState", ""),
            "pid": int(found.get("MainPID") or 0) or None,
            "told": found.get("StatusText", "") if active else "",
            "result": found.get("Result", ""),
        }
        talk.answer_json(told)
    elif found.get("LoadState") != "loaded":
        talk.answer(f"{name}: not installed (solveyard service install)")
    else:
        told_by_it = found.get("StatusText") if active else ""
        more = told_by_it or f"last result: {found.get('Result', '')}"
        talk.answer(f"{name}: {found['ActiveState']} ({found.get('SubState', '')}); {more}")
    return exits.OK if active else exits.UNAVAILABLE


def _may_touch(path: Path, force: bool) -> None:
    """Raises Refused."""
    if path.exists() and not force and not systemd.ours(path):
        raise exits.Refused(
            f"{path} was not written by solveyard: it stays as it is (--force, or another --name)"
        )


def _known(account: str) -> bool:
    if sys.platform == "win32":
        return False
    import pwd

    try:
        pwd.getpwnam(account)
    except KeyError:
        return False
    return True


def _lingers() -> bool:
    import getpass

    try:
        return (_LINGER / getpass.getuser()).exists()
    except (KeyError, OSError):
        return False
