"""notify: who is told how jobs end, and whether it arrives."""

from typing import Annotated

import typer

from solveyard.cli import exits, talk
from solveyard.cli.here import Json, here
from solveyard.model.errors import InvalidRequest
from solveyard.model.texts import plain


def notify(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="list|show|test")],
    name: Annotated[str, typer.Argument(metavar="[NAME]")] = "",
    state: Annotated[
        str, typer.Option(metavar="S", help="With show: pending, delivered or failed ones.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="With show: at most so many.")] = 50,
    as_json: Json = False,
) -> int:
    """Look at what receivers were told, or send one a test.

    `list` shows the receivers, `show NAME` one's notices, those of the newest ends first; `test
    NAME` has the manager send it a test now, and exits with 1 where that isn't taken. Receivers
    are in the settings: [notify.NAME].
    """
    place = here(context)
    match what, name:
        case "list", "":
            with place.client() as client:
                receivers = client.notifications()
            if as_json:
                talk.answer_json(receivers)
            else:
                header = ("NAME", "WAY", "ON", "PENDING", "DELIVERED", "FAILED", "LAST ERROR")
                rows = [
                    (
                        one.name, str(one.way or "not set"), ",".join(one.on), str(one.pending),
                        str(one.delivered), str(one.failed), one.last_error,
                    )
                    for one in receivers
                ]  # fmt: skip
                talk.answer_table(header, rows)
            return exits.OK
        case "show", str() if name:
            with place.client() as client:
                found = client.notices(name, state, limit)
            if as_json:
                talk.answer_json(found)
            else:
                header = ("ID", "JOB", "END", "STATE", "TRIES", "NEXT", "WHY")
                rows = [
                    (
                        one.id, one.job, one.ending.value, one.state.value,
                        str(one.tries), one.next_at or "", one.why,
                    )
                    for one in found
                ]  # fmt: skip
                talk.answer_table(header, rows)
            return exits.OK
        case "test", str() if name:
            with place.client() as client:
                why = client.test_notification(name)
            if as_json:
                talk.answer_json({"success": not why, "message": why or f"{name} took it"})
            else:
                talk.answer(f"{name}: {plain(why) or 'taken'}")
            return exits.NOT_SUCCEEDED if why else exits.OK
        case _:
            raise InvalidRequest("it is: notify list, notify show NAME, or notify test NAME")
