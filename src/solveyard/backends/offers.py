"""What a machine's jobs may use: what its agent says, and what the settings say instead."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from solveyard.backends.translation import Hello
from solveyard.model.messages import AgentJoined
from solveyard.model.resources import Resources


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Of one machine, as the settings have it; None: what its agent says."""

    cores: int | None = None
    memory: int | None = None  #: MiB
    disk: int | None = None  #: MiB
    gpus: int | None = None
    licences: Mapping[str, int] = field(default_factory=dict)  #: feature to seats
    counts: Mapping[str, int] = field(default_factory=dict)


AS_TOLD = Offer()


def joined(hello: Hello, offer: Offer = AS_TOLD) -> AgentJoined:
    """An agent that has presented itself."""
    node = Resources(
        cores=_or(offer.cores, hello.cores),
        memory=_or(offer.memory, hello.memory),
        disk=_or(offer.disk, hello.disk),
        gpus=_or(offer.gpus, len(set(hello.gpus))),
    )
    return AgentJoined(
        machine=hello.machine,
        nodes={hello.machine: node},
        boot_id=hello.boot_id,
        licences=offer.licences,
        counts=offer.counts,
        core_ids={hello.machine: hello.processors},
        gpu_ids={hello.machine: hello.gpus},
    )


def _or(said: int | None, told: int) -> int:
    return told if said is None else said
