"""shares: who has what share of the machines, and what they have had of it."""

import msgspec
import typer

from solveyard.cli import exits, talk
from solveyard.cli.here import Json, here
from solveyard.model.records import OwnerRecord

_HEADER = (
    "OWNER", "WEIGHT", "SHARE", "USED", "CORE-HOURS", "RUNNING", "CORES", "WAITING", "QUOTA",
)  # fmt: skip


def shares(context: typer.Context, as_json: Json = False) -> int:
    """Show who has what share of the machines, what they have had of it, and their quotas.

    Shares and quotas are set in the settings: [shares] and [quotas].
    """
    with here(context).client() as client:
        found = client.shares()
    if as_json:
        talk.answer_json(msgspec.to_builtins(found))
        return exits.OK
    if not found.owners:
        talk.say("nobody has shares or quotas here (set [shares] fair = true, or [quotas])")
        return exits.OK
    if not found.fair:
        talk.say("shares decide nothing here ([shares] fair is not set); quotas do")
    talk.answer_table(_HEADER, [_row(one) for one in found.owners])
    return exits.OK


def _row(one: OwnerRecord) -> list[str]:
    quota = one.quota
    bounds = [
        f"{most} {what}"
        for what, most in (
            ("running", quota.running),
            ("cores", quota.cores),
            ("waiting", quota.waiting),
        )
        if most is not None
    ]
    return [
        one.owner,
        f"{one.weight:g}",
        f"{one.share:.0%}",
        f"{one.used:.0%}",
        f"{one.core_seconds / 3600:.1f}",
        str(one.running),
        str(one.cores),
        str(one.waiting),
        ", ".join(bounds),
    ]
