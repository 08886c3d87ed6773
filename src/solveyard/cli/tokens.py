"""token: who may come in over the network."""

from typing import Annotated

import typer

from solveyard.cli import exits, talk
from solveyard.cli.here import Json, here
from solveyard.model.errors import InvalidRequest
from solveyard.model.records import instant
from solveyard.tokens import Tokens


def token(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="create|list|revoke")],
    name: Annotated[str, typer.Argument(metavar="[NAME]")] = "",
    as_json: Json = False,
) -> int:
    """Let programs and people in over HTTP, and out again.

    `create NAME` prints a token, this once; `list` names them; `revoke NAME` ends one at once.
    """
    tokens = Tokens(here(context).folder)
    match what, name:
        case "create", str() if name:
            secret = tokens.create(name)
            talk.say("keep it: it can't be shown again; send it as 'Authorization: Bearer TOKEN'")
            if as_json:
                talk.answer_json({"success": True, "name": name, "token": secret})
            else:
                talk.answer(secret)
        case "revoke", str() if name:
            tokens.revoke(name)
            if as_json:
                talk.answer_json({"success": True, "name": name})
            else:
                talk.answer(f"{name}: revoked")
        case "list", "":
            known = [(one.name, instant(one.created_at)) for one in tokens.all()]
            if as_json:
                talk.answer_json([{"name": one, "created_at": at} for one, at in known])
            else:
                for one, at in known:
                    talk.answer(f"{one:<20} made {at}")
        case _:
            raise InvalidRequest("it is: token create NAME, token list, or token revoke NAME")
    return exits.OK
