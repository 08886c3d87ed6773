"""How the commands submit: to the manager at --host and --port, which finds its own ansysedt."""

import argparse
import re
from pathlib import Path

from solveyard.client.sync import Client
from solveyard.model.records import JobRecord
from solveyard.pyedb import commands
from solveyard.pyedb.job_submission import HFSSSimulationConfig, MachineNode, create_hfss_config
from solveyard.pyedb.session import fields


def local(project: str, cores: int) -> HFSSSimulationConfig:
    """For the manager's own machine. Raises InvalidConfig, MissingFile."""
    return create_hfss_config(project, machine_nodes=[MachineNode(cores=cores, max_cores=cores)])


def default_jobid(project: str) -> str:
    """Of `pyedb-job-manager`: the same project has the same id."""
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', Path(project).stem)[:100]}_job"


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
) -> int:
    """Submit it and print its id."""
    record = submitted(given, config, priority, left_open=left_open)
    if given.json:
        commands.answer({"success": True, "job_id": record.id, "status": record.status.value})
    else:
        commands.answer(record.id)
    return commands.OK
