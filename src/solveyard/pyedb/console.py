"""`pyedb-job-manager start|submit|wait|status`, as the older document has it."""

import argparse
import sys
from typing import Any

from solveyard.client.sync import Client
from solveyard.pyedb import commands, sending, starting
from solveyard.pyedb.job_submission import SchedulerType, create_hfss_config
from solveyard.pyedb.statuses import JobStatus, status

TIMED_OUT = 5
AUTO = "auto"  #: the batch system that the manager uses, if any
_SCHEDULERS = (AUTO, *(one.value for one in SchedulerType))
_COMMANDS = ("start", "submit", "wait", "status")


def main(arguments: list[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    chosen = argparse.ArgumentParser(
        prog="pyedb-job-manager", description="Have HFSS projects solved by a job manager.",
        epilog="Each takes --help.",
    )  # fmt: skip
    chosen.add_argument("command", choices=_COMMANDS)
    command = chosen.parse_args(given[:1]).command
    rest = given[1:]
    match command:
        case "start":
            return starting.console(rest)
        case "submit":
            return commands.run(_submit, _submit_parser(), rest)
        case "wait":
            return commands.run(_wait, _wait_parser(), rest)
        case _:
            about = "Tell how the job manager is."
            return commands.run(_status, commands.parser("pyedb-job-manager status", about), rest)


def _submit_parser() -> argparse.ArgumentParser:
    made = commands.parser("pyedb-job-manager submit", "Submit a project and print its id.")
    made.add_argument("project", help="an .aedt file or .aedb folder")
    made.add_argument("--jobid", default="", help="else the project's name and _job")
    _add_common(made)
    return made


def _wait_parser() -> argparse.ArgumentParser:
    about = "Submit projects and wait until all have ended; 1 where one did not succeed."
    made = commands.parser("pyedb-job-manager wait", about)
    made.add_argument("project", nargs="+", help="an .aedt file or .aedb folder")
    made.add_argument("--timeout", type=commands.amount, metavar="S", help="seconds; else for ever")
    _add_common(made)
    return made


def _add_common(made: argparse.ArgumentParser) -> None:
    made.add_argument("--priority", type=commands.whole, default=0, help="larger goes first")
    made.add_argument("--scheduler", choices=_SCHEDULERS, default=AUTO, help="else auto")


def _submit(given: argparse.Namespace) -> int:
    config = create_hfss_config(
        given.project,
        jobid=given.jobid or sending.default_jobids([given.project])[0],
        scheduler_type=_scheduler(given),
    )
    left_open, chosen = given.scheduler == AUTO, bool(given.jobid)
    return sending.one(given, config, given.priority, left_open=left_open, chosen_id=chosen)


def _wait(given: argparse.Namespace) -> int:
    configs = [
        create_hfss_config(project, jobid=jobid, scheduler_type=_scheduler(given))
        for project, jobid in zip(given.project, sending.default_jobids(given.project), strict=True)
    ]
    left_open = given.scheduler == AUTO
    ids, refused = [], []
    for config in configs:
        taken = sending.submitted(given, config, given.priority, left_open=left_open)
        if theirs := sending.another(config, taken):
            refused.append(sending.not_sent(config, taken, theirs))
            commands.say(f"error: {refused[-1]}")
        else:
            ids.append(taken.id)
    with Client(commands.manager(given)) as client:
        in_time = client.wait(ids, given.timeout)
        records = [client.job(one) for one in ids]
    found = {record.id: status(record) for record in records}
    success = not refused and set(found.values()) == {JobStatus.COMPLETED}
    if given.json:
        told = {"success": success, "jobs": found}
        commands.answer(told | ({"error": "; ".join(refused)} if refused else {}))
    for record in records:
        if not given.json:
            commands.answer(f"{record.id}\t{found[record.id]}")
        if found[record.id] is JobStatus.FAILED:
            commands.say(f"{record.id}: {record.message}")
    if not in_time:
        commands.say(f"error: not all have ended in {given.timeout:g} s; they go on")
        return TIMED_OUT
    return commands.OK if success else commands.FAILED


def _status(given: argparse.Namespace) -> int:
    with Client(commands.manager(given)) as client:
        told: dict[str, Any] = client.status()
    if given.json:
        commands.answer({"success": True, **told})
    else:
        pool = told["local_pool"]
        at_most = told.get("limits", pool)["max_concurrent"]  # PyEDB's own service tells one
        commands.answer(
            f"{pool['running_jobs']} running, {pool['queued_jobs']} queued,"
            f" at most {at_most or 'as many as there are cores'} at once"
        )
    return commands.OK


def _scheduler(given: argparse.Namespace) -> str:
    return SchedulerType.NONE.value if given.scheduler == AUTO else str(given.scheduler)


if __name__ == "__main__":
    sys.exit(main())
