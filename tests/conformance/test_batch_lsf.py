"""The suite on a stand-in for IBM's LSF."""

import pytest

from batchsystems.sites import StandIn
from batchsystems.state import opened
from cluster.jobs import ended, running, waits_for
from conformance.batch_suite import *  # noqa: F403
from conformance.batch_suite import WAIT, go, submit
from conformance.batch_troubles import *  # noqa: F403
from conftest import Service, until
from solveyard.model.errors import BackendError
from solveyard.model.jobs import JobState, Reason
from solveyard.model.resources import Resources

SITES = ("lsf",)


def test_the_history_tells_of_a_job_that_bjobs_does_not_show_any_more(
    site: StandIn, service: Service
) -> None:
    one = submit(site, service, "sleep 600", time_limit=60)
    native_id = running(service, one).scheduler_job_id or ""
    site.there.fault("bjobs", "hang")
    until(lambda: site.over(native_id), "its time is over")
    with opened(site.there.folder) as system:
        system.jobs[int(native_id)].said["cleaned"] = True
    site.there.well()
    record = ended(service, one)
    assert record.reason is Reason.TIME_LIMIT
    assert any("TERM_RUNLIMIT" in line for line in record.evidence)


def test_it_gives_licences_at_the_start_and_one_that_waits_holds_none(
    site: StandIn, service: Service
) -> None:
    """By `rusage`, with memory beside it."""

    def seats(number: int) -> Resources:
        return Resources(memory=10, licences={"ansys": number})

    first = submit(site, service, WAIT, resources=seats(3))
    running(service, first)
    second = submit(site, service, "true", resources=seats(2))
    waits_for(service, second, "lsf to start it (Job's requirements for resource reservation")
    third = submit(site, service, "true", resources=seats(1))
    assert ended(service, third).state is JobState.COMPLETED
    assert not service.client.job(second).state.final
    go(service, first)
    assert ended(service, first).state is JobState.COMPLETED
    assert ended(service, second).state is JobState.COMPLETED
    with pytest.raises(BackendError, match="Bad resource requirement"):
        submit(site, service, "true", resources=Resources(licences={"nosuch": 1}))
