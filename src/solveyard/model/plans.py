"""What a job would run, before anybody runs it."""

from collections.abc import Mapping
from typing import Any

import msgspec


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Of one job, or of an array's first task."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]  #: added to the manager's
    directory: str  #: empty: the job's own folder
    files: Mapping[str, str]  #: written before, in the directory
    licences: Mapping[str, int]  #: taken where [resources.licences] counts them
    exclusive: tuple[str, ...]
    script: str  #: of a job for a cluster: its batch script
    submit: tuple[str, ...] = ()  #: of a job for a cluster: the command that submits the script
    spec: Mapping[str, Any]  #: as it would be submitted
