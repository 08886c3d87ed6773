"""Removal of many ended jobs, once: what would go, and that it shall go."""

import msgspec
from aiohttp import web

from solveyard.core.retention import Policy
from solveyard.doors import encoding
from solveyard.doors.keys import MANAGER, caller
from solveyard.doors.openapi import Route
from solveyard.model.errors import NotAllowed
from solveyard.model.records import instant

NAMED = 1000  #: jobs that an answer names


class RetentionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without any bound the settings' hold, and their `files`."""

    keep_jobs: int | None = None  #: ended jobs that stay, the newest
    max_age: float | None = None  #: s since its end
    max_age_failed: float | None = None  #: the same of those that failed
    max_size: int | None = None  #: bytes that the files of all ended jobs take
    files: bool = False  #: files go with their records
    dry_run: bool = False  #: tell, and do nothing

    def __post_init__(self) -> None:
        for name in ("keep_jobs", "max_age", "max_age_failed", "max_size"):
            encoding.within(name, getattr(self, name) or 0, 0, 2**62)
        if self.max_size is not None and not self.files:
            raise ValueError("`max_size` takes `files`: records have no size")

    @property
    def policy(self) -> Policy:
        return Policy(
            keep_jobs=self.keep_jobs,
            max_age=self.max_age,
            max_age_failed=self.max_age_failed,
            max_size=self.max_size,
            files=self.files,
        )


class Going(msgspec.Struct, frozen=True, kw_only=True):
    """A job that goes."""

    id: str
    number: int
    ended_at: str | None  #: ISO 8601
    size: int  #: bytes; 0 where its files stay


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What goes: `jobs` are the first of them, the oldest end first."""

    success: bool
    dry_run: bool
    files: bool
    count: int
    size: int  #: bytes of all of them; 0 where files stay
    jobs: list[Going]


async def prune(request: web.Request) -> web.Response:
    """Remove ended jobs, at a trickle, as the bounds say; with `dry_run` tell which."""
    if not caller(request).owner:
        raise NotAllowed("only the manager's owner may remove jobs by age, number or size")
    encoding.query(request, encoding.NoQuery)
    wish = await encoding.message(request, RetentionBody)
    manager = request.app[MANAGER]
    policy = wish.policy if wish.policy.bounds else manager.retention.policy
    going = await manager.retention.going(policy)
    known = manager.jobs()
    named = [(one, known[one.job]) for one in going[:NAMED] if one.job in known]
    if going and not wish.dry_run:
        manager.retention.ask(policy)
    told = Pruned(
        success=True,
        dry_run=wish.dry_run,
        files=policy.files,
        count=len(going),
        size=sum(one.size for one in going) if policy.files else 0,
        jobs=[
            Going(
                id=job.label,
                number=job.id,
                ended_at=instant(one.ended_at),
                size=one.size if policy.files else 0,
            )
            for one, job in named
        ],
    )
    return encoding.answer(told)


ROUTES = (Route("POST", "/retention", prune, body=RetentionBody, answer=Pruned),)
