"""How the commands submit: to the manager at --host and --port, which finds its own ansysedt."""

import argparse
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from solveyard.client.sync import Client
from solveyard.model.records import JobRecord
from solveyard.pyedb import commands
from solveyard.pyedb.job_submission import HFSSSimulationConfig, MachineNode, create_hfss_config
from solveyard.pyedb.sent import fields


def local(project: str, cores: int) -> HFSSSimulationConfig:
    """For the manager's own machine. Raises InvalidConfig, MissingFile."""
    return create_hfss_config(project, machine_nodes=[MachineNode(cores=cores, max_cores=cores)])


def default_jobids(projects: Sequence[str]) -> list[str]:
    """Of `pyedb-job-manager`: the same project has the same id; no two of these have one.

    Of those that are named alike all but the first have some of their path's hash in theirs.
    """
    whose: dict[str, Path] = {}
    found = []
    for project in projects:
        place = Path(project).absolute()
        jobid = f"{re.sub(r'[^A-Za-z0-9_-]', '_', place.stem)[:100]}_job"
        if whose.setdefault(jobid, place) != place:
            jobid += f"_{hashlib.sha256(bytes(place)).hexdigest()[:8]}"
        found.append(jobid)
    return found


def another(config: HFSSSimulationConfig, record: JobRecord) -> str:
    """Which project's the job is that a default id found under way; empty: the one that was sent.

    Such an id tells no folder, so another project of that name may have it.
    """
    theirs = str((record.config or {}).get("project_path", config.project_path))
    if theirs == config.project_path:
        return ""
    try:
        return "" if Path(theirs).samefile(config.project_path) else theirs
    except OSError:
        return theirs


def not_sent(config: HFSSSimulationConfig, record: JobRecord, theirs: str) -> str:
    return (
        f"{config.project_path} is not submitted: job {record.id} is that of {theirs}, and is"
        f" {record.state} (wait for its end, or choose another id: submit --jobid)"
    )


def submitted(
    given: argparse.Namespace,
    config: HFSSSimulationConfig,
    priority: int = 0,
    *,
    left_open: bool = False,
) -> JobRecord:
    """`left_open`: the manager's batch system has it, if any. Raises as the client does."""
    content = fields(config)
    if left_open:
        content["scheduler_type"] = None
    content["ansys_edt_path"] = None  # another machine may have another
    with Client(commands.manager(given)) as client:
        return client.submit_config(content, priority)


def one(
    given: argparse.Namespace,
    config: HFSSSimulationConfig,
    priority: int = 0,
    *,
    left_open: bool = False,
    chosen_id: bool = True,
) -> int:
    """Submit it and print its id; one that nobody chose must not be another project's."""
    record = submitted(given, config, priority, left_open=left_open)
    if not chosen_id and (theirs := another(config, record)):
        return commands.refused(given, not_sent(config, record, theirs), commands.FAILED)
    if given.json:
        commands.answer({"success": True, "job_id": record.id, "status": record.status.value})
    else:
        commands.answer(record.id)
    return commands.OK
