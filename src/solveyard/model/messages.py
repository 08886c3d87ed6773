"""The four kinds of message, all immutable, all encodable.

A request asks (from a person), an observation reports (from a backend or the clock): both go
into the engine. An event is a fact that happened, an action an effect to perform: both come out.
"""

from collections.abc import Mapping

import msgspec

from solveyard.model.jobs import AttemptId, JobId, JobSpec, Limits, Outcome, Placement, Usage
from solveyard.model.policies import Link
from solveyard.model.resources import Resources

# Requests: wishes. `by` is who asks.


class Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    by: str = ""


class Submit(Request, frozen=True, kw_only=True, tag="submit", omit_defaults=True):
    """Take all of these jobs, or none."""

    specs: tuple[JobSpec, ...]
    key: str = ""  #: by which the submission is known again
    any_name: bool = False  #: names that read like a selector are taken, too
    session: str = ""  #: of the program that the jobs shall not go on without
    within: tuple[str, ...] = ()  #: real folders, in one of which a `directory` must be; none: any


class JobRequest(Request, frozen=True, kw_only=True, omit_defaults=True):
    job: JobId
    key: str = ""  #: by which the request is known again: granted once, it changes nothing more


class Cancel(JobRequest, frozen=True, kw_only=True, tag="cancel", omit_defaults=True):
    """Asked of a job that has ended, it changes nothing."""

    grace: float | None = None  #: s between TERM and KILL; None: as the job's spec says


class Hold(JobRequest, frozen=True, kw_only=True, tag="hold", omit_defaults=True):
    """Keep a waiting job from starting."""


class Release(JobRequest, frozen=True, kw_only=True, tag="release", omit_defaults=True):
    """Let a held job wait its turn again."""


class Retry(JobRequest, frozen=True, kw_only=True, tag="retry", omit_defaults=True):
    """Run an ended job again, as a new attempt beside the old ones."""


class Remove(JobRequest, frozen=True, kw_only=True, tag="remove", omit_defaults=True):
    """Forget an ended job; its name is free again."""

    spare: bool = False  #: one that somebody wants kept: that is refused then


class SetPriority(JobRequest, frozen=True, kw_only=True, tag="set_priority", omit_defaults=True):
    priority: int


class Annotate(JobRequest, frozen=True, kw_only=True, tag="annotate", omit_defaults=True):
    """Change what people wrote to it, whatever its state; None: leave it as it is."""

    tags: tuple[str, ...] | None = None
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()  #: before the others are added
    note: str | None = None

    def tagged(self, tags: tuple[str, ...]) -> tuple[str, ...]:
        """The tags of a job that had `tags`."""
        kept = [
            tag for tag in (tags if self.tags is None else self.tags) if tag not in self.remove_tags
        ]
        return (*kept, *(tag for tag in dict.fromkeys(self.add_tags) if tag not in kept))


JobWish = Annotate | Cancel | Hold | Release | Retry | Remove | SetPriority


class OfSeveral(Request, frozen=True, kw_only=True, tag="of_several", omit_defaults=True):
    """Grant one wish for each of several jobs, or for none of them."""

    jobs: tuple[JobId, ...]  #: each once
    wish: JobWish  #: as it is for the first of them


class SetLimits(Request, frozen=True, kw_only=True, tag="set_limits", omit_defaults=True):
    limits: Limits
    only: tuple[str, ...] | None = None  #: the fields that are meant; None: all of them


class Drain(Request, frozen=True, kw_only=True, tag="drain", omit_defaults=True):
    """Start nothing more; end what runs, after `grace` by KILL. What waits goes on waiting."""

    grace: float = 30.0  #: s
    leave: bool = False  #: only start nothing more: what runs goes on


class EndSessions(Request, frozen=True, kw_only=True, tag="end_sessions", omit_defaults=True):
    """Their programs died: end what runs of their jobs, and keep what waits from starting."""

    sessions: tuple[str, ...]
    grace: float = 30.0  #: s between TERM and KILL


AnyRequest = Submit | JobWish | OfSeveral | SetLimits | Drain | EndSessions

# Observations: reports.


class Observation(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    pass


class AttemptObservation(Observation, frozen=True, kw_only=True, omit_defaults=True):
    attempt: AttemptId


class Accepted(AttemptObservation, frozen=True, kw_only=True, tag="accepted", omit_defaults=True):
    """The backend has it under an id of its own."""

    native_id: str


class Started(AttemptObservation, frozen=True, kw_only=True, tag="started", omit_defaults=True):
    native_id: str = ""
    at: float | None = None  #: by the machine's clock


class Ended(AttemptObservation, frozen=True, kw_only=True, tag="ended", omit_defaults=True):
    """The whole process tree is gone, and this is what the evidence says."""

    outcome: Outcome
    usage: Usage | None = None
    native_id: str = ""
    started_at: float | None = None  #: by the machine's clock; None: it never started


class Recalled(AttemptObservation, frozen=True, kw_only=True, tag="recalled", omit_defaults=True):
    """It had not started, and won't."""


class Missing(AttemptObservation, frozen=True, kw_only=True, tag="missing", omit_defaults=True):
    """The backend, asked, has never seen it; under which boot and ledger it looked."""

    boot_id: str
    ledger: str


class Stale(AttemptObservation, frozen=True, kw_only=True, tag="stale", omit_defaults=True):
    """The backend answers, and can't see what became of it."""


class MachineObservation(Observation, frozen=True, kw_only=True, omit_defaults=True):
    machine: str


class AgentJoined(
    MachineObservation, frozen=True, kw_only=True, tag="agent_joined", omit_defaults=True
):
    """A machine's agent is connected, and offers `nodes`."""

    nodes: Mapping[str, Resources]
    boot_id: str
    licences: Mapping[str, int] = {}
    counts: Mapping[str, int] = {}
    core_ids: Mapping[str, tuple[int, ...]] = {}  #: by node, where they aren't 0, 1, 2 ...
    gpu_ids: Mapping[str, tuple[int, ...]] = {}
    until: float | None = None  #: when this capacity ends (an allocation's end)


class AgentLeft(
    MachineObservation, frozen=True, kw_only=True, tag="agent_left", omit_defaults=True
):
    """The connection to the agent is gone; that ends no job."""


class ClusterJoined(
    MachineObservation, frozen=True, kw_only=True, tag="cluster_joined", omit_defaults=True
):
    """A batch system answers, and may have `most` of our jobs at once."""

    most: int
    counts: Mapping[str, int] = {}  #: how many it has of named counts
    shared: tuple[str, ...] = ()  #: counts that it has in common with the machines here


class ClusterLeft(
    MachineObservation, frozen=True, kw_only=True, tag="cluster_left", omit_defaults=True
):
    """It doesn't answer; that ends no job."""


class SpawnerJoined(
    MachineObservation, frozen=True, kw_only=True, tag="spawner_joined", omit_defaults=True
):
    """One of the machine's spawners is connected and can start commands."""

    spawner: int
    boot_id: str
    ledger: str


class SpawnerLeft(
    MachineObservation, frozen=True, kw_only=True, tag="spawner_left", omit_defaults=True
):
    spawner: int


class Sampled(MachineObservation, frozen=True, kw_only=True, tag="sampled", omit_defaults=True):
    """How busy a machine was, just now."""

    cpu: float  #: cores' worth of work, of everybody
    ours: float | None = None  #: of that, by our attempts; None: count what is booked as used
    memory_free: int = 0  #: MiB
    disk_free: int = 0  #: MiB, where the store is


class LicenceUse(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How the seats of one feature are used, as a licence server sees it."""

    issued: int
    used: int  #: by everybody
    ours: int | None = None  #: of those, under our account on our machines; None: it doesn't say


class LicencesSeen(Observation, frozen=True, kw_only=True, tag="licences_seen", omit_defaults=True):
    """A licence server has answered."""

    asked_at: float  #: s since 1970: it tells how it was then, or later
    use: Mapping[str, LicenceUse]  #: by feature
    kept: Mapping[str, int] = {}  #: seats that no job takes, by feature


class LicencesUnseen(
    Observation, frozen=True, kw_only=True, tag="licences_unseen", omit_defaults=True
):
    """A licence server didn't answer."""

    first: bool = False  #: it's being asked for the first time


class Quiet(Observation, frozen=True, kw_only=True, tag="quiet", omit_defaults=True):
    """A running attempt doesn't move: no line, no CPU, no growth."""

    attempt: AttemptId
    seconds: float  #: for so long


class ClockSet(Observation, frozen=True, kw_only=True, tag="clock_set", omit_defaults=True):
    """`now` leapt, by more than the time that has passed."""

    at: float  #: s since 1970, as it was before
    by: float  #: s


class Ticked(Observation, frozen=True, kw_only=True, tag="ticked", omit_defaults=True):
    """Time has passed."""


AnyObservation = (
    Accepted | Started | Ended | Recalled | Missing | Stale
    | AgentJoined | AgentLeft | ClusterJoined | ClusterLeft | SpawnerJoined | SpawnerLeft | Sampled
    | LicencesSeen | LicencesUnseen | Quiet | ClockSet | Ticked
)  # fmt: skip
Message = AnyRequest | AnyObservation

# Events: facts. The store numbers them.


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    at: float  #: s since 1970, never decreasing within a store
    by: str = ""  #: who asked for it, where somebody did


class JobEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    job: JobId
    key: str = ""  #: of the request that led to it


class JobSubmitted(JobEvent, frozen=True, kw_only=True, tag="job.submitted", omit_defaults=True):
    spec: JobSpec
    arrival: int
    after: tuple[Link, ...] = ()
    session: str = ""
    within: tuple[str, ...] = ()


class ArrayBegun(JobEvent, frozen=True, kw_only=True, tag="array.begun", omit_defaults=True):
    """The first of its tasks was placed."""


class JobHeld(JobEvent, frozen=True, kw_only=True, tag="job.held", omit_defaults=True):
    pass


class JobReleased(JobEvent, frozen=True, kw_only=True, tag="job.released", omit_defaults=True):
    pass


class PriorityChanged(
    JobEvent, frozen=True, kw_only=True, tag="job.priority_changed", omit_defaults=True
):
    priority: int


class JobAnnotated(JobEvent, frozen=True, kw_only=True, tag="job.annotated", omit_defaults=True):
    """These are its tags and its note now."""

    tags: tuple[str, ...] = ()
    note: str = ""


class JobPlaced(JobEvent, frozen=True, kw_only=True, tag="job.placed", omit_defaults=True):
    attempt: AttemptId
    placement: Placement


class JobRecalled(JobEvent, frozen=True, kw_only=True, tag="job.recalled", omit_defaults=True):
    """The placed attempt was taken back unstarted; the job waits again, in its old place."""


class JobAccepted(JobEvent, frozen=True, kw_only=True, tag="job.accepted", omit_defaults=True):
    native_id: str


class JobStarted(JobEvent, frozen=True, kw_only=True, tag="job.started", omit_defaults=True):
    native_id: str = ""
    started_at: float  #: by the machine's clock, as far as it agrees with ours


class JobStale(JobEvent, frozen=True, kw_only=True, tag="job.stale", omit_defaults=True):
    """Its machine doesn't answer: the state shown is the last one known."""


class JobConfirmed(JobEvent, frozen=True, kw_only=True, tag="job.confirmed", omit_defaults=True):
    """Its machine answers again."""


class CancelRequested(
    JobEvent, frozen=True, kw_only=True, tag="job.cancel_requested", omit_defaults=True
):
    pass


class JobEnded(JobEvent, frozen=True, kw_only=True, tag="job.ended", omit_defaults=True):
    outcome: Outcome
    usage: Usage | None = None
    native_id: str = ""
    started_at: float | None = None


class JobRequeued(JobEvent, frozen=True, kw_only=True, tag="job.requeued", omit_defaults=True):
    """The attempt has ended, and the job's own policy has it wait for another."""

    outcome: Outcome
    usage: Usage | None = None
    native_id: str = ""
    started_at: float | None = None
    tries: int  #: used by now, with the coming one
    mishaps: int = 0
    not_before: float
    memory: int | None = None


class JobRetried(JobEvent, frozen=True, kw_only=True, tag="job.retried", omit_defaults=True):
    """An ended job waits again: by a retry, or by a new submission of its name with `spec`."""

    arrival: int
    spec: JobSpec | None = None
    after: tuple[Link, ...] = ()  #: of the new `spec`
    closed: bool = False  #: of an array: only some of its tasks are; the others stay ended
    session: str = ""  #: of the new `spec`
    within: tuple[str, ...] = ()  #: the same


class EvidenceAdded(
    JobEvent, frozen=True, kw_only=True, tag="job.evidence_added", omit_defaults=True
):
    """Something reported after the attempt's end; the end stands."""

    attempt: AttemptId
    note: str


class JobRemoved(JobEvent, frozen=True, kw_only=True, tag="job.removed", omit_defaults=True):
    pass


class LimitsChanged(Event, frozen=True, kw_only=True, tag="limits.changed", omit_defaults=True):
    limits: Limits


class MachineJoined(Event, frozen=True, kw_only=True, tag="machine.joined", omit_defaults=True):
    machine: str
    nodes: Mapping[str, Resources]


class MachineLeft(Event, frozen=True, kw_only=True, tag="machine.left", omit_defaults=True):
    machine: str


AnyJobEvent = (
    JobSubmitted | ArrayBegun | JobHeld | JobReleased | PriorityChanged | JobAnnotated | JobPlaced
    | JobRecalled | JobAccepted | JobStarted | JobStale | JobConfirmed | CancelRequested | JobEnded
    | JobRequeued | JobRetried | EvidenceAdded | JobRemoved
)  # fmt: skip
AnyEvent = AnyJobEvent | LimitsChanged | MachineJoined | MachineLeft

# Actions: effects to perform, once their step's events are on disk.


class Launch(msgspec.Struct, frozen=True, kw_only=True, tag="launch", tag_field="type"):
    """Start this attempt; safe to send again."""

    job: JobId
    attempt: AttemptId
    spec: JobSpec
    placement: Placement
    after: AttemptId | None = None  #: start only once this one, on the same spawner, has ended
    brief: bool = False  #: jobs like it took a few ms: not worth a cgroup of its own
    session: str = ""  #: of the program that it shall not go on without
    within: tuple[str, ...] = ()  #: real folders, in one of which a `directory` must be; none: any


class Recall(msgspec.Struct, frozen=True, kw_only=True, tag="recall", tag_field="type"):
    """Take back an attempt if it has not started; answered by Recalled, its start, or Missing."""

    attempt: AttemptId
    placement: Placement


#: Why an attempt is ended that waits in a batch system's line; one that has begun isn't.
WAITED = "wait_limit"


class Kill(msgspec.Struct, frozen=True, kw_only=True, tag="kill", tag_field="type"):
    """End the whole process tree: TERM, `grace` seconds, KILL."""

    attempt: AttemptId
    placement: Placement
    grace: float  #: s
    because: str  #: "cancelled", "hang", "shutdown" or `WAITED`


class Modify(msgspec.Struct, frozen=True, kw_only=True, tag="modify", tag_field="type"):
    """Hold or release an attempt that waits elsewhere, and give it this priority there."""

    attempt: AttemptId
    placement: Placement
    held: bool
    priority: int


class Forget(msgspec.Struct, frozen=True, kw_only=True, tag="forget", tag_field="type"):
    """The attempt's end is on disk here; the backend need not keep it."""

    attempt: AttemptId
    placement: Placement


class Ask(msgspec.Struct, frozen=True, kw_only=True, tag="ask", tag_field="type"):
    """What became of these attempts? Each is answered by what it did last, or by Missing."""

    machine: str
    spawner: int
    attempts: tuple[AttemptId, ...]


Action = Launch | Recall | Kill | Modify | Forget | Ask
