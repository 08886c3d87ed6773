"""HPC Pack's `job`, by its documents, and a `cmd` for its batch files."""

from batchsystems.winhpc import cmd, job

COMMANDS = {"job": job.job, "cmd": cmd.cmd}
