"""How receivers stand: those of the settings, and those that only notices know."""

from collections.abc import Mapping, Sequence

from solveyard.model.notices import NoticeState, ReceiverRecord
from solveyard.notify.ways import Recipient
from solveyard.store.base import Standing


def receivers(
    recipients: Sequence[Recipient], standings: Mapping[str, Standing]
) -> list[ReceiverRecord]:
    """By name."""
    known = {one.receiver.name: one for one in recipients}
    return [
        _record(name, known.get(name), standings.get(name, Standing({}, "")))
        for name in sorted({*known, *standings})
    ]


def _record(name: str, recipient: Recipient | None, standing: Standing) -> ReceiverRecord:
    return ReceiverRecord(
        name=name,
        way=recipient.way.kind if recipient else None,
        on=tuple(sorted(recipient.receiver.on)) if recipient else (),
        always=recipient is not None and recipient.receiver.always,
        pending=standing.counts.get(NoticeState.PENDING, 0),
        delivered=standing.counts.get(NoticeState.DELIVERED, 0),
        failed=standing.counts.get(NoticeState.FAILED, 0),
        last_error=standing.why,
    )
