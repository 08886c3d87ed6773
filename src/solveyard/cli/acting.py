"""What is asked of jobs that are there: cancel, hold, release, retry, priority, note, tag ..."""

from collections.abc import Callable, Collection, Sequence
from typing import Annotated

import typer

from solveyard.cli import exits, selectors, talk, units, words
from solveyard.cli.here import Json, Selectors, here
from solveyard.client.sync import Client
from solveyard.model.arrays import ranges
from solveyard.model.errors import InvalidRequest, SolveyardError, UnknownJob
from solveyard.model.jobs import FINAL, JobState
from solveyard.model.records import JobRecord

UNFINISHED = frozenset(JobState) - FINAL
UNSUCCESSFUL = FINAL - {JobState.COMPLETED}
AT_ONCE = 500  #: tasks that one request names
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
Which = Annotated[str, typer.Argument(help="A name, a number, last, 3,5-9 or all.")]
Act = Callable[[Client, JobRecord], JobRecord | None]


def cancel(
    context: typer.Context,
    selector: Selectors,
    yes: Yes = False,
    grace: Annotated[
        str, typer.Option(help="Between TERM and KILL; 0: KILL at once. Else as its spec says.")
    ] = "",
    as_json: Json = False,
) -> int:
    """End jobs, waiting or running.

    `all`: those that have not ended.
    """
    patience = units.seconds(grace) if grace else None

    def act(client: Client, job: JobRecord) -> JobRecord:
        return client.cancel(words.exact(job), patience)

    return _each(context, selector, UNFINISHED, act, as_json, ask="" if yes else "cancel")


def hold(context: typer.Context, selector: Selectors, as_json: Json = False) -> int:
    """Keep waiting jobs from starting.

    `all`: those that wait.
    """
    return _each(context, selector, {JobState.QUEUED}, lambda c, j: c.hold(words.exact(j)), as_json)


def release(context: typer.Context, selector: Selectors, as_json: Json = False) -> int:
    """Let held jobs wait their turn again.

    `all`: those that are held, here or by a batch system.
    """

    def act(client: Client, job: JobRecord) -> JobRecord:
        return client.release(words.exact(job))

    return _each(context, selector, UNFINISHED, act, as_json, only=lambda job: job.held)


def retry(
    context: typer.Context,
    selector: Selectors,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only what failed: of an array those tasks.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Run ended jobs again.

    Each is a new attempt beside the old; of an array the tasks that didn't succeed. `all`: those
    that failed or were cancelled.
    """
    if not failed:
        return _each(context, selector, UNSUCCESSFUL, lambda c, j: c.retry(words.exact(j)), as_json)
    runs: list[bool] = []

    def act(client: Client, job: JobRecord) -> JobRecord | None:
        again = _retry_failed(client, job)
        runs.append(again is not None)
        return again

    status = _each(context, selector, frozenset(JobState) - {JobState.COMPLETED}, act, as_json)
    if runs and not any(runs):
        talk.say("note: nothing of it had failed, so nothing is run again")
    return status


def _retry_failed(client: Client, job: JobRecord) -> JobRecord | None:
    """As it is afterwards; None: nothing of it failed, and it stays as it is."""
    if job.tasks is None:
        return client.retry(words.exact(job)) if job.state is JobState.FAILED else None
    tasks = list(selectors.all_tasks(client, job.number, (JobState.FAILED,)))
    indices = [task.task for task in tasks if task.task is not None]
    if not indices:
        return None
    for start in range(0, len(indices), AT_ONCE):
        some = indices[start : start + AT_ONCE]
        client.retry_tasks(f"{words.exact(job)}[{ranges(some, AT_ONCE)}]")
    return client.job(job.number)


def priority(
    context: typer.Context,
    selector: Which,
    number: Annotated[int, typer.Argument(metavar="N", help="Larger goes first.")],
    as_json: Json = False,
) -> int:
    """Change the priority of jobs.

    `all`: those that have not ended.
    """
    return _each(
        context,
        [selector],
        UNFINISHED,
        lambda c, j: c.set_priority(words.exact(j), number),
        as_json,
    )


def note(
    context: typer.Context,
    selector: Which,
    text: Annotated[str, typer.Argument(metavar="TEXT", help='"" takes it away.')],
    as_json: Json = False,
) -> int:
    """Write a remark for people to jobs, in the place of the old one.

    `all`: every job.
    """
    return _each(
        context, [selector], (), lambda c, j: c.annotate(words.exact(j), note=text), as_json
    )


def tag(
    context: typer.Context,
    selector: Which,
    change: Annotated[list[str], typer.Argument(metavar="+TAG|-TAG...", help="Add, take away.")],
    as_json: Json = False,
) -> int:
    """Add tags to jobs, or take them away.

    `all`: every job.
    """
    for word in change:
        if word[:1] not in {"+", "-"} or not word[1:]:
            raise InvalidRequest(f"{word!r} changes no tag (+draft adds one, -draft takes it away)")

    last = {word[1:]: word[0] for word in change}  # of "+draft -draft" the later one counts
    adds = [name for name, sign in last.items() if sign == "+"]
    removes = [name for name, sign in last.items() if sign == "-"]

    def act(client: Client, job: JobRecord) -> JobRecord:
        return client.annotate(words.exact(job), add_tags=adds, remove_tags=removes)

    return _each(context, [selector], (), act, as_json)


def rm(
    context: typer.Context,
    selector: Selectors,
    files: Annotated[bool, typer.Option("--files", help="Its output and own folder, too.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Forget jobs that have ended.

    Their names are free again. `all`: those that have ended.
    """

    def act(client: Client, job: JobRecord) -> None:
        client.remove(words.exact(job), files=files)

    return _each(context, selector, FINAL, act, as_json, ask="" if yes else "forget")


def wait(
    context: typer.Context,
    selector: Selectors,
    timeout: Annotated[str, typer.Option(help="At most: 90, 15m, 2h.")] = "",
    as_json: Json = False,
) -> int:
    """Wait until jobs have ended.

    Exits with 0 if all succeeded, 1 if not, 5 if the time is over. `all`: every job.
    """
    patience = units.seconds(timeout) if timeout else None
    with here(context).client() as client:
        chosen = selectors.select(client, selector)
        waited = [words.exact(job) for job in chosen.jobs if not job.state.final]
        if held := [job.id for job in chosen.jobs if job.state is JobState.HELD]:
            more = f" and {len(held) - 1} more are" if len(held) > 1 else " is"
            talk.say(
                f"note: job {held[0]}{more} held, until somebody says solveyard release {held[0]}"
            )
        in_time = client.wait(waited, patience)
        jobs = [job if job.state.final else _now(client, job) for job in chosen.jobs]
    if as_json:
        talk.answer_json(jobs[0] if chosen.one else jobs)
    for job in jobs:
        if not job.state.final or job.state is not JobState.COMPLETED:
            talk.say(words.ending(job))
    if not in_time:
        talk.say(f"error: the time is over: {timeout} (they go on; wait longer with --timeout)")
        return exits.TIMED_OUT
    return verdict(jobs)


def verdict(jobs: Collection[JobRecord]) -> int:
    """The exit status of jobs that were waited for."""
    good = all(job.state is JobState.COMPLETED for job in jobs)
    return exits.OK if good else exits.NOT_SUCCEEDED


def _now(client: Client, job: JobRecord) -> JobRecord:
    """As it is now; a job that was removed meanwhile is as it was."""
    try:
        return client.job(words.exact(job))
    except UnknownJob:
        return job


def _each(
    context: typer.Context,
    words_: Sequence[str],
    states: Collection[JobState],
    act: Act,
    as_json: bool,
    ask: str = "",
    only: Callable[[JobRecord], bool] = lambda _: True,
) -> int:
    """Do it to each selected job, and go on where one refuses: the first refusal is told last."""
    place = here(context)
    with place.client() as client:
        chosen = selectors.select(client, words_, states, only)
        many = [word for word in words_ if word == "all"]
        if ask and many and chosen.jobs and not talk.confirmed(f"{ask} {len(chosen.jobs)} jobs?"):
            raise exits.Refused("nothing was done (say --yes to do it without being asked)")
        done: list[JobRecord] = []
        refusals: list[tuple[JobRecord, InvalidRequest]] = []
        for job in chosen.jobs:
            try:
                done.append(act(client, job) or job)
            except InvalidRequest as error:
                refusals.append((job, error))
    if not chosen.jobs:
        talk.say("note: there is no such job now")
    for job, refusal in refusals[1:]:
        talk.say(f"error: job {words.key(job)}: {refusal}")
    if refusals:
        raise _first(refusals, len(chosen.jobs))
    if as_json:
        talk.answer_json(done[0] if chosen.one else done)
    elif done:
        talk.answer("\n".join(job.id for job in done))
    return exits.OK


def _first(refusals: list[tuple[JobRecord, InvalidRequest]], of: int) -> SolveyardError:
    job, error = refusals[0]
    if of == 1:
        return error
    return type(error)(f"job {words.key(job)}: {error} ({of - len(refusals)} of {of} were done)")
