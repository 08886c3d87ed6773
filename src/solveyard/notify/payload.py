"""What a receiver is told."""

from typing import Any

import msgspec
from msgspec.structs import replace

from solveyard.core import notices
from solveyard.model.jobs import Job
from solveyard.model.messages import JobEnded
from solveyard.model.records import JobRecord, instant
from solveyard.store.base import Numbered

ENDED = "job.ended"
TEST = "test"


def as_ended(job: Job, event: JobEnded) -> Job:
    """`job` as it was at this end, whatever was asked of it since."""
    state = notices.ending(event)
    return replace(job, state=state, outcome=event.outcome, ended_at=event.at)


def notice_id(store: str, number: int, receiver: str) -> str:
    """The same for every try, and for no other notice of any store."""
    return f"{store[:8]}.{number}.{receiver}"


def ended(notice: str, numbered: Numbered, record: JobRecord, public_url: str) -> str:
    """Of a job's end, as JSON."""
    number, event = numbered
    content: dict[str, Any] = {
        "id": notice,
        "event": {"number": number, "type": ENDED, "at": instant(event.at)},
        "text": _sentence(record),
        "job": record,
    }
    if public_url:
        content["url"] = f"{public_url}/#/jobs/{record.number}"
    return msgspec.json.encode(content).decode()


def test(notice: str, receiver: str, at: float) -> str:
    """Of no job, to see whether it arrives."""
    text = f"solveyard reaches {receiver}: this is a test"
    event = {"number": 0, "type": TEST, "at": instant(at)}
    return msgspec.json.encode({"id": notice, "event": event, "text": text}).decode()


def variables(payload: str) -> dict[str, str]:
    """What a command finds in its environment."""
    content = msgspec.json.decode(payload)
    job = content.get("job", {})
    told = {
        "NOTICE": content["id"],
        "EVENT": content["event"]["type"],
        "TEXT": content["text"],
        "JOB": job.get("number"),
        "NAME": job.get("id"),
        "STATE": job.get("state"),
        "REASON": job.get("reason"),
        "MESSAGE": job.get("message"),
        "URL": content.get("url"),
        "PAGE": content.get("url"),  # so that another URL, which is a manager's, is told from it
    }
    return {f"SOLVEYARD_{name}": str(text or "") for name, text in told.items()}


def _sentence(record: JobRecord) -> str:
    why = f": {record.message}" if record.message else ""
    took = f" after {record.run_time:.0f} s" if record.run_time is not None else ""
    return f"{record.id} {record.state}{took}{why}"
