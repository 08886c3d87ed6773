"""The options that submit, run and hfss have in common, each said once, and their fields."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from solveyard.cli import arrays, policies, specs, units
from solveyard.cli import options as o
from solveyard.cli.here import Here
from solveyard.model.errors import InvalidRequest, UnknownJob

Command = TypeVar("Command", bound=Callable[..., int])

#: By the parameter: what typer makes of it, and its default.
OPTIONS: Mapping[str, tuple[Any, object]] = {
    "name": (o.Name, ""),
    "priority": (o.Priority, 0),
    "memory": (o.Memory, ""),
    "nodes": (o.Nodes, None),
    "time_limit": (o.TimeLimit, ""),
    "grace": (o.Grace, ""),
    "on": (o.On, ""),
    "queue": (o.Queue, ""),
    "tag": (o.Tags, None),
    "notify": (o.Receivers, None),
    "note": (o.Note, ""),
    "array": (o.Array, None),
    "values": (o.Values, None),
    "grid": (o.Grid, None),
    "rows": (o.Rows, None),
    "at_once": (o.AtOnce, None),
    "after": (o.After, None),
    "retry": (o.Retry, None),
    "retry_on": (o.RetryOn, None),
    "retry_delay": (o.RetryDelay, ""),
    "retry_memory": (o.RetryMemory, None),
    "hang": (o.Hang, ""),
    "end_hung": (o.EndHung, False),
    "measures": (o.Measures, None),
    "success": (o.Success, None),
}


def takes_options(command: Command) -> Command:
    """Have `command` take OPTIONS in the place of its `**given`."""
    own = inspect.signature(command).parameters.values()
    kept = [one for one in own if one.kind is not inspect.Parameter.VAR_KEYWORD]
    more = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind
        )
        for name, (kind, default) in OPTIONS.items()
    ]  # fmt: skip
    vars(command)["__signature__"] = inspect.Signature([*kept, *more], return_annotation=int)
    command.__annotations__ |= {one.name: one.annotation for one in more}
    return command


def fields(place: Here, given: Mapping[str, Any], **own: Any) -> dict[str, object]:
    """The fields of a specification, from OPTIONS as they were given and a command's `own`."""
    return specs.fields(
        name=given["name"],
        priority=given["priority"],
        memory=given["memory"],
        nodes=given["nodes"],
        time_limit=given["time_limit"],
        grace=units.seconds(given["grace"]) if given["grace"] else None,
        on=given["on"],
        batch={"queue": given["queue"]} if given["queue"] else None,
        tags=given["tag"] or (),
        notify=given["notify"] or (),
        note=given["note"],
        array=arrays.array(
            given["array"], given["values"], given["grid"] or None, given["rows"], given["at_once"]
        ),
        after=policies.after(given["after"] or (), lambda: last(place)),
        retry=policies.retry(
            given["retry"], given["retry_on"] or (), given["retry_delay"], given["retry_memory"]
        ),
        hang=_hang(given["hang"], end=given["end_hung"]),
        measures=specs.json_object("--measures", given["measures"]),
        success=specs.json_object("--success", given["success"]),
        **own,
    )


def last(place: Here) -> str:
    """The newest job that whoever asks has submitted, as "#7". Raises UnknownJob."""
    with place.reading() as source:
        newest = source.jobs(owner=source.who(), limit=1).jobs if source is not None else []
    if not newest:
        raise UnknownJob("--after last: you have submitted no job yet")
    return f"#{newest[0].number}"


def _hang(after: str, *, end: bool) -> dict[str, object] | None:
    if end and not after:
        raise InvalidRequest("--end-hung needs --hang: after how long it counts as hung")
    return {"after": units.seconds(after), "end": end} if after else None
