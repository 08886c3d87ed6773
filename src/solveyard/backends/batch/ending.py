"""From two witnesses, the script's record and the batch system's word, to how an attempt ended.

Pure. The record is the better one about the command, the batch system about who ended it.
"""

from solveyard.backends.dialects.base import NativeState, State
from solveyard.backends.dialects.record import Record
from solveyard.model.jobs import Usage
from solveyard.solvers.base import Exit

#: Who ended it, in the words of `Exit.ended_by`.
_ENDED_BY = {
    State.CANCELLED: "cancelled_there",
    State.TIMEOUT: "time_limit",
    State.OUT_OF_MEMORY: "out_of_memory",
    State.NODE_FAILURE: "node_failure",
    State.PREEMPTED: "preempted",
}
CLOCKS = 5.0  #: s by which the clocks of a cluster may differ
#: A script's exit status where it had no part in what became of its attempt.
ELSEWHERE = 125
_LATE = 2.0  #: s by which a script may begin after its job
_GRACE = 60.0  #: s after a limit within which a job is looked at, signalled and killed
_AT_LIMIT = {2, 9, 12, 15, 24}  #: INT, KILL, USR2, TERM, XCPU
_BEFORE = {
    "directory": "its directory or its output can't be used",
    "modules": "its modules could not be loaded",
    "prologue": "its prologue failed",
    "asking": "its licences can't be asked for",
}


def ended(
    system: str,
    state: NativeState | None,
    record: Record | None,
    because: str,
    limit: float | None = None,
    said: str = "",
) -> Exit:
    """`state`: the batch system's last word, None: it doesn't know the job any more.

    `system` is its name; `because` is who asked here for the end: "", "cancelled", "shutdown",
    "wait_limit"; `limit` is its time as the batch system has it, s; `said` is what stands in its
    script's log.
    """
    told = _told(system, state, record)
    finished = record if record is not None and record.ended is not None else None
    usage = _usage(record)
    if state is not None and not because and taken_early(state, record):
        where = f" from {state.nodes}" if state.nodes else ""
        why = "a prolog failed, or somebody cancelled it"
        return Exit(
            launch_error=f"{system} took it{where} before its script began ({why})", told=told
        )
    by = _ended_by(state, finished, because)
    if not by and record is not None and _taken_back(state):
        by, told = because or "preempted", (*told, f"{system} took it back, and started it again")
    silent = state is None or not state.explains
    if not by and silent and limit is not None and _out_of_time(finished, limit):
        by, told = "time_limit", (*told, f"it was signalled when its {limit:g} s were over")
    if by and not _had_ended(state, finished, by):
        code, signal = _status(finished) if finished is not None else (None, None)
        return Exit(code=code, signal=signal, ended_by=by, told=told, usage=usage)
    if finished is not None and finished.stage == "licence" and finished.code == ELSEWHERE:
        return Exit(ended_by="licence", told=told, usage=usage)
    if finished is not None:
        if why := _BEFORE.get(finished.stage, ""):
            error = f"{why}: exit status {finished.code} (see its standard error)"
            return Exit(launch_error=error, told=told)
        code, signal = _status(finished)
        return Exit(code=code, signal=signal, told=told, usage=usage)
    if record is None and because and (state is None or (by == "" and state.code is None)):
        # some forget a waiting job that they cancel, some have one word for all that fails
        return Exit(ended_by=because, told=told)
    if state is None or state.state in {State.ENDED, State.UNKNOWN}:
        lost = f"{system} doesn't know it any more, and its script left no record of an end"
        return Exit(lost=lost, told=told)
    if state.code == ELSEWHERE and record is not None:
        lost = f"{system} started it twice, and the first start's end was not recorded"
        return Exit(lost=lost, told=told)
    if record is None and state.state is State.FAILED:
        how = state.reason if state.code is None else f"exit status {state.code}"
        words = f" ({said})" if said else ""
        error = f"{system} ended it before its script began: {how or state.word}{words}"
        if state.code == ELSEWHERE:
            error = f"its script can't write its record, or can't be seen to have begun{words}"
        return Exit(launch_error=error, told=told)
    code = 0 if state.state is State.COMPLETED and state.code is None else state.code
    return Exit(code=None if state.signal else code, signal=state.signal, told=told)


def never_began(state: NativeState, record: Record | None) -> bool:
    """Did it fail before its script could claim its attempt? Then it may be handed in again."""
    return record is None and state.state is State.FAILED and state.code != ELSEWHERE


def taken_early(state: NativeState, record: Record | None) -> bool:
    """Was it ended before its script began, with no word who asked for that?"""
    return record is None and not state.asked


def by_itself(record: Record) -> bool:
    """Did the command end, as far as its script tells, before anybody ended it?"""
    ended = record.stage == "command" and record.code is not None
    return ended and not record.signalled and record.signal is None


def _had_ended(state: NativeState | None, finished: Record | None, by: str) -> bool:
    """Had the command ended before anybody ended it?

    It may end well because it is told to end, while its script isn't told yet. But a batch system
    ends what it still has as running: its word counts, unless it heard of the end too late.
    """
    if finished is None or not by_itself(finished) or by == "out_of_memory":
        return False
    if state is None or state.state not in _ENDED_BY:
        return True
    if finished.ended is None or state.ended is None:
        return False
    return finished.ended < state.ended - CLOCKS


def _status(record: Record) -> tuple[int | None, int | None]:
    """Exit code or signal."""
    signal = record.signal
    return (None, signal) if signal else (record.code, None)


def _ended_by(state: NativeState | None, finished: Record | None, because: str) -> str:
    """A system that forgets its jobs, or has one word for all failures, doesn't say who it was."""
    by = "" if state is None else _ENDED_BY.get(state.state, "")
    if state is not None and state.state is State.CANCELLED:
        if because:
            return because
        if "dependency" in state.reason.lower():
            return "dependency"
    signalled = finished is not None and (finished.signalled or finished.signal is not None)
    return because if because and signalled and not by else by


def _taken_back(state: NativeState | None) -> bool:
    """Did it begin anew under its id, and find that its attempt had begun?"""
    return state is not None and state.restarts > 0 and state.code == ELSEWHERE


def _out_of_time(finished: Record | None, limit: float) -> bool:
    """Was it signalled at the end of its time, as batch systems do that don't say so?"""
    if finished is None or finished.began is None or finished.ended is None:
        return False
    signalled = finished.signalled or finished.signal in _AT_LIMIT
    ran = finished.ended - finished.began
    return bool(signalled) and limit - _LATE <= ran <= limit + _GRACE


def _told(system: str, state: NativeState | None, record: Record | None) -> tuple[str, ...]:
    """The evidence, in words."""
    told = []
    if state is None:
        told.append(f"{system} doesn't know it any more")
    else:
        reason = f", {state.reason}" if state.reason not in {"", "None"} else ""
        where = f" on {state.nodes}" if state.nodes else ""
        told.append(f"{system} says {state.word}{reason}{where}")
    if record is None:
        told.append("its script left no record")
    elif record.ended is None:
        told.append("its script recorded a start and no end")
    else:
        told.append("its script recorded its end")
    return tuple(told)


def _usage(record: Record | None) -> Usage | None:
    if record is None or record.ended is None or record.began is None:
        return None
    return Usage(wall=round(max(0.0, record.ended - record.began), 3))
