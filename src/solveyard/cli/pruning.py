"""prune: ended jobs go by number, age and size."""

from typing import Annotated, Any

import typer

from solveyard import amounts
from solveyard.cli import exits, talk, units
from solveyard.cli.acting import Yes
from solveyard.cli.here import Json, here
from solveyard.model.errors import InvalidRequest

_SHOWN = 20  #: jobs that are listed


def prune(
    context: typer.Context,
    keep: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="The newest N ended jobs stay.")
    ] = None,
    older_than: Annotated[
        str, typer.Option(metavar="TIME", help="What ended longer ago goes: 12h, 30d.")
    ] = "",
    larger_than: Annotated[
        str, typer.Option(metavar="SIZE", help="The oldest go until the files take less: 10G.")
    ] = "",
    files: Annotated[
        bool, typer.Option("--files", help="Their output and own folders go, too.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would go.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Remove ended jobs by number, age or size.

    Without a bound: as the manager's settings say ([retention]). The manager removes some four a
    second, fewer while it starts jobs. What has the tag `keep` stays.
    """
    bounds: dict[str, Any] = {}
    if keep is not None:
        bounds["keep_jobs"] = keep
    if older_than:
        bounds["max_age"] = units.seconds(older_than)
    if larger_than:
        bounds["max_size"] = amounts.file_size(larger_than)
    if larger_than and not files:
        raise InvalidRequest("--larger-than takes --files: records have no size")
    if files and not bounds:
        raise InvalidRequest("--files takes a bound: --keep, --older-than or --larger-than")
    wish = {**bounds, "files": files}
    with here(context).client() as client:
        found = client.prune(dry_run=True, **wish)
        if not as_json:
            _tell(found)
        if found["count"] and not dry_run:
            if not yes and not talk.confirmed(f"remove {_jobs(found)}?"):
                raise exits.Refused("nothing was done (say --yes to do it without being asked)")
            found = client.prune(**wish)
            if not as_json:
                talk.say(f"note: the manager removes {_jobs(found)} by and by")
    if as_json:
        talk.answer_json(found)
    return exits.OK


def _tell(found: dict[str, Any]) -> None:
    for job in found["jobs"][:_SHOWN]:
        size = f"  {units.size(job['size'])}" if found["files"] else ""
        talk.answer(f"{job['id']}  ended {job['ended_at']}{size}")
    more = found["count"] - min(_SHOWN, len(found["jobs"]))
    if more:
        talk.answer(f"and {more} more")
    talk.say(f"note: {_jobs(found)} in all" if found["count"] else "note: there is no such job now")


def _jobs(found: dict[str, Any]) -> str:
    jobs = "1 job" if found["count"] == 1 else f"{found['count']} jobs"
    return f"{jobs} with {units.size(found['size'])} of files" if found["files"] else jobs
