"""What a job may ask of the core beside resources: whom it waits for, and when to try again."""

from typing import Literal

import msgspec

On = Literal["success", "end", "failure"]
#: Ends that aren't the job's own: they use up none of its tries.
INFRASTRUCTURE = frozenset({"lost", "preempted", "node_failure"})
#: Reasons after which nothing is tried again, whatever a job says.
NEVER_RETRIED = frozenset({"success", "cancelled", "shutdown", "dependency", "wait_limit"})
#: So often one submission is started again after such ends.
INFRASTRUCTURE_TRIES = 20


class Dependency(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True,
    omit_defaults=True,
):  # fmt: skip
    """Wait for another job, for how it ends. "mesh[{{index}}]" is the task of the same index."""

    job: str  #: a name or a number, of a task "mesh[3]"
    on: On = "success"


class Link(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A dependency, once it's known whom it means."""

    job: int
    on: On = "success"
    each: bool = False  #: the task at the same position of `job`, an array


class HangWatch(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True,
    omit_defaults=True,
):  # fmt: skip
    """What is made of a job that runs and doesn't move: no line, no CPU, no growth."""

    after: float  #: s without any of them, after which it's told
    end: bool = False  #: it's ended then, too

    def __post_init__(self) -> None:
        if not 1 <= self.after < 1e8:
            raise ValueError(f"`after` is {self.after}; it must be a number of seconds, from 1")


class RetryPolicy(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True,
    omit_defaults=True,
):  # fmt: skip
    """Start it again by itself when it fails. Cancelled is never retried."""

    tries: int = 3  #: starts in all
    on: tuple[str, ...] = ()  #: reasons or causes, "nec" for all "nec. ..."; empty: any failure
    delay: float = 0.0  #: s before the second try
    factor: float = 2.0  #: by which each further delay is longer
    longest: float = 3600.0  #: s
    memory_factor: float = 1.0  #: more memory after running out of it

    def __post_init__(self) -> None:
        if not 1 <= self.tries <= 1000:
            raise ValueError(f"`tries` is {self.tries}; it must be from 1 to 1000")
        for name in ("delay", "longest"):
            if not 0 <= (value := getattr(self, name)) < 1e8:
                raise ValueError(f"`{name}` is {value}; it must be a number of seconds, from 0")
        for name in ("factor", "memory_factor"):
            if not 1 <= (value := getattr(self, name)) <= 100:
                raise ValueError(f"`{name}` is {value}; it must be from 1 to 100")

    def covers(self, reason: str, cause: str) -> bool:
        """Is this how it may end and be tried again?"""
        if reason in NEVER_RETRIED:
            return False
        return not self.on or any(
            word in {reason, cause} or cause.startswith(f"{word}.") for word in self.on
        )

    def pause(self, tried: int) -> float:
        """Seconds before the next try, after so many."""
        return float(min(self.longest, self.delay * self.factor ** min(tried - 1, 60)))
