"""Who has what share of the machines, and what they have of it, as people are told."""

from solveyard.core.engine import Engine
from solveyard.model.records import OwnerRecord, SharesRecord


def told(engine: Engine, now: float) -> SharesRecord:
    owners = engine.standings(now)
    weights, used = sum(one.weight for one in owners), sum(one.used for one in owners)
    return SharesRecord(
        fair=engine.shares.fair,
        half_life=engine.shares.half_life,
        owners=tuple(
            OwnerRecord(
                owner=one.owner,
                weight=one.weight,
                share=one.weight / weights,
                core_seconds=one.used,
                used=one.used / used if used else 0.0,
                running=one.running,
                cores=one.cores,
                waiting=one.waiting,
                quota=engine.shares.quota(one.owner),
            )
            for one in owners
        ),
    )
