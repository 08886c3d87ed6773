"""The service in the foreground, as PyEDB's three starters start it: it drains when it stops."""

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from solveyard.places import store_folder
from solveyard.pyedb import ansys, commands

MONITOR = "Resource monitor started (interval=5 s)"  #: the documents' own words
LOCALHOST = "localhost"
EVERYWHERE = "0.0.0.0"  #: what the documents' `service` says that it listens on


def handler(arguments: list[str] | None = None) -> int:
    """`python -m ...job_manager_handler`."""
    parser = _parser("job_manager_handler", "Run the job manager until Ctrl-C or SIGTERM.")
    return commands.run(lambda given: _serve(given, {}), parser, arguments)


def service(arguments: list[str] | None = None) -> int:
    """`python -m ...service`: listens everywhere, unless told otherwise."""
    parser = _parser("service", "Run the job manager until Ctrl-C or SIGTERM.", host=EVERYWHERE)
    return commands.run(lambda given: _serve(given, {}), parser, arguments)


def console(arguments: list[str]) -> int:
    """`pyedb-job-manager start`: `--ansys-version` must be installed."""
    parser = _parser("pyedb-job-manager start", "Run the job manager until Ctrl-C or SIGTERM.")
    parser.add_argument(
        "--ansys-version", metavar="VERSION",
        help="refuse to start where it isn't installed; else any, or none",
    )  # fmt: skip

    def start(given: argparse.Namespace) -> int:
        if given.ansys_version:
            ansys.of_release(given.ansys_version)
        return _serve(given, {})

    return commands.run(start, parser, arguments)


def start_service(arguments: list[str] | None = None) -> int:
    """`python -m ...start_service`."""
    parser = _parser("start_service", "Run the job manager until Ctrl-C or SIGTERM.")
    parser.add_argument(
        "--max-concurrent", "--max-concurrent-jobs", dest="max_concurrent", type=commands.positive,
        default=4, metavar="N", help="jobs that run at once; else 4",
    )  # fmt: skip
    parser.add_argument(
        "--min-disk", type=commands.amount, default=10.0, metavar="GB",
        help="GiB of the disk that stay free; else 10",
    )  # fmt: skip
    parser.add_argument(
        "--min-memory", type=commands.amount, default=2.0, metavar="GB",
        help="GiB of memory that stay free; else 2",
    )  # fmt: skip

    def start(given: argparse.Namespace) -> int:
        limits = {
            "max_concurrent": given.max_concurrent,
            "min_disk_gb": given.min_disk,
            "min_memory_gb": given.min_memory,
        }
        return _serve(given, limits)

    return commands.run(start, parser, arguments)


def _parser(name: str, about: str, host: str = LOCALHOST) -> argparse.ArgumentParser:
    parser = commands.parser(name, about, host=host)
    parser.add_argument("--store", metavar="DIR", help="the store; else the usual one")
    return parser


def _serve(given: argparse.Namespace, limits: dict[str, Any]) -> int:
    """Until it is stopped; returns how the process exits."""
    from solveyard import config, logs, serve
    from solveyard.config import serving
    from solveyard.pyedb.host import first_token

    logs.to_standard_error()
    logger = logging.getLogger("JobManager")
    logger.setLevel(logging.INFO)
    folder = store_folder(given.store)
    wanted: dict[str, Any] = {"port": given.port}
    wanted |= {f"limits.{name}": value for name, value in limits.items()}
    if given.host not in {"", LOCALHOST}:
        wanted["host"] = given.host
    found = config.load(
        config.Places.here(),
        given={name: config.Given(_option(name), value) for name, value in wanted.items()},
    )
    options = replace(serving.service(found), on_stop="drain", idle_exit=None)

    def started(running: serve.Running) -> None:
        if serve.exposed(options):
            first_token(folder)
        port = running.url.rpartition(":")[2]
        host = f"[{given.host}]" if ":" in given.host else given.host
        url = f"http://{host}:{port}"
        if given.json:
            commands.answer({"success": True, "url": url, "store": str(folder)})
        logger.info(MONITOR)
        logger.info("aiohttp server on %s", url)

    serve.run(Path(folder), options, started)
    return commands.OK


def _option(name: str) -> str:
    return f"--{name.removeprefix('limits.').removesuffix('_gb').replace('_', '-')}"
