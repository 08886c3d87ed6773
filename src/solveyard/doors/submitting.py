"""From a submission to jobs: what the machine completes, the rules admit and the manager takes."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from types import GenericAlias
from typing import Any

from aiohttp import web
from msgspec.structs import replace

from solveyard import plan, registry
from solveyard.doors import encoding, waiting
from solveyard.doors.keys import LOOKS, MANAGER, RULES, Caller, caller
from solveyard.doors.rules import Rules
from solveyard.manager.manager import Manager
from solveyard.model import reading
from solveyard.model.errors import FILE_MISSING, BackendError, InvalidJob, InvalidRequest
from solveyard.model.jobs import Job, JobSpec, Reason
from solveyard.model.plans import Plan
from solveyard.solvers import tasks
from solveyard.surroundings import Here

_Spec = reading.described()
#: One specification of a job, or many, as a route describes them.
SPECS: Any = _Spec | GenericAlias(list, (_Spec,))


async def submitted(
    request: web.Request, specs: list[JobSpec], *, any_name: bool = False, session: str = ""
) -> tuple[list[Job], bool]:
    """The jobs, and whether an earlier request submitted them.

    What goes to a batch system at once is answered with the id that it has there, unless that
    takes too long. Raises NotAllowed for what this caller may not have run, BackendError where the
    batch system refused all of them. `any_name`: names that read like a selection are taken, too.
    `session`: of the program that they shall not go on without.
    """
    jobs, known = await _submitted(request, specs, any_name=any_name, session=session)
    forwarded = [job.id for job in jobs if job.spec.on]
    if not forwarded:
        return jobs, known
    await waiting.first_words(request, forwarded)
    look = request.app[MANAGER].look
    jobs = [(look(job.id) or job) if job.spec.on else job for job in jobs]
    refusals = [refused for job in jobs if (refused := _refused(job))]
    if len(refusals) == len(jobs):
        several = f"none of {len(jobs)} was taken; the first: " if len(jobs) > 1 else ""
        raise BackendError(several + refusals[0])
    return jobs, known


def _refused(job: Job) -> str:
    """That a batch system didn't take it, in its words; "": it did, or nobody knows yet."""
    attempt, outcome = job.attempt, job.outcome
    if attempt is None or outcome is None or attempt.native_id or not attempt.placement.forwarded:
        return ""
    if outcome.reason is not Reason.LAUNCH:
        return ""
    return f"{outcome.message} (job {job.id} was kept, and failed)"


async def _submitted(
    request: web.Request, specs: list[JobSpec], *, any_name: bool, session: str
) -> tuple[list[Job], bool]:
    manager, who = request.app[MANAGER], caller(request)
    key = encoding.idempotency_key(request)
    _check_tags(specs)
    await _sought(manager, specs)
    within: tuple[str, ...] = ()
    looked = _looks_at(who, specs)
    if looked:
        specs, within = await _complete(request, specs, check=True)
    if key:
        return await manager.submit_once(
            specs, who.name, key,
            any_name=any_name, session=session, within=within, checked=looked,
        )  # fmt: skip
    jobs = await manager.submit(
        specs, who.name, any_name=any_name, session=session, within=within, checked=looked
    )
    return jobs, False


async def planned(request: web.Request, specs: list[JobSpec]) -> list[Plan]:
    """What they would run, each refused as `submitted` would for what it says itself."""
    forwarding, who = request.app[MANAGER].forwarding, caller(request)
    _check_tags(specs)
    await _sought(request.app[MANAGER], specs)
    found = []
    if _looks_at(who, specs):
        specs, _ = await _complete(request, specs)
    for spec in specs:
        sent = forwarding.sent(spec, who.name)
        told = await asyncio.to_thread(plan.of, sent)
        if sent.on:
            await asyncio.to_thread(forwarding.check, sent)
            script, argv = await asyncio.to_thread(forwarding.preview, tasks.spec_at(sent, 0))
            told = replace(told, script=script, submit=tuple(argv))
        found.append(told)
    return found


async def _sought(manager: Manager, specs: Sequence[JobSpec]) -> None:
    """A batch system that nobody named may not have answered yet, right after the start."""
    if names := {spec.on for spec in specs if spec.on}:
        await manager.forwarding.sought(names)


def _check_tags(specs: Sequence[JobSpec]) -> None:
    for index, spec in enumerate(specs):
        try:
            encoding.check_tags(spec.tags)
        except ValueError as error:
            which = f"job {index + 1} of {len(specs)}: " if len(specs) > 1 else ""
            raise InvalidJob(f"{which}{error}") from error


def _looks_at(who: Caller, specs: list[JobSpec]) -> bool:
    """Is this machine to be looked at for them?"""
    return not who.private or any(registry.on_site(spec.solver) for spec in specs)


async def _complete(
    request: web.Request, specs: list[JobSpec], *, check: bool = False
) -> tuple[list[JobSpec], tuple[str, ...]]:
    """`specs`, completed and admitted, and within which folders; with `check` each could be
    launched, too.

    All that is to be known of one is looked up at once: its options are read once then.
    """
    manager, who, rules = request.app[MANAGER], caller(request), request.app[RULES]
    sent = partial(manager.forwarding.sent, owner=who.name)

    def step(spec: JobSpec, here: Here) -> JobSpec:
        whole = _admitted(spec, who, rules, sent, here)
        if check:
            manager.check(whole, who.name)
        return whole

    def looked(here: Here) -> tuple[list[JobSpec], tuple[str, ...]]:
        done = _each(specs, partial(step, here=here))
        return done, rules.within(who, done, here)

    about = manager.licences, manager.forwarding.elsewhere
    return await request.app[LOOKS].look(looked, *about, short=len(specs) == 1)


def _admitted(
    spec: JobSpec, who: Caller, rules: Rules, sent: Callable[[JobSpec], JobSpec], here: Here
) -> JobSpec:
    """`spec`, completed. Whoever isn't the owner learns nothing of files that they may not use.

    `sent`: a job with the place where it runs, by its own word or a rule's.
    """
    complete = _completed(spec, here, sent)
    if who.owner or who.private:
        _present(complete, here, sent)
    rules.check(who, complete, here)
    if not (who.owner or who.private):
        _present(complete, here, sent)
    return complete


def _completed(spec: JobSpec, here: Here, sent: Callable[[JobSpec], JobSpec]) -> JobSpec:
    """`spec`, with what it leaves to the machine; where it runs is decided later."""
    solver = registry.on_site(spec.solver)
    return spec if solver is None else replace(solver.complete(sent(spec), here), on=spec.on)


def _present(spec: JobSpec, here: Here, sent: Callable[[JobSpec], JobSpec]) -> None:
    """Raises FileMissing. A program on a machine that can't be seen may be there."""
    solver = registry.on_site(spec.solver)
    if solver is None:
        return
    jobs = tasks.samples(spec)
    programs = () if sent(spec).on in here.elsewhere else map(solver.program, jobs)
    way_out = " (leave the program out, or give the path of one that is there)"
    wanted = {**dict.fromkeys(map(solver.project, jobs), ""), **dict.fromkeys(programs, way_out)}
    for path, hint in wanted.items():
        if not here.exists(path):
            raise FileMissing(f"{FILE_MISSING}no such file or directory: {path[:300]!r}{hint}")


class FileMissing(InvalidJob):
    """A file that the job is about isn't there."""


def _each(specs: Sequence[JobSpec], step: Callable[[JobSpec], JobSpec]) -> list[JobSpec]:
    """Every spec after `step`; a refusal tells which one it is about."""
    done: list[JobSpec] = []
    for index, spec in enumerate(specs):
        if index and spec == specs[index - 1]:  # of many that are equal, one is looked at
            done.append(done[-1])
            continue
        try:
            done.append(step(spec))
        except InvalidRequest as error:
            if len(specs) == 1:
                raise
            raise type(error)(f"job {index + 1} of {len(specs)}: {error}") from error
    return done
