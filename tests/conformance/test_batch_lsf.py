"""The suite on a stand-in for IBM's LSF."""

from batchsystems.sites import StandIn
from batchsystems.state import opened
from cluster.jobs import ended, running
from conformance.batch_suite import *  # noqa: F403
from conformance.batch_suite import submit
from conformance.batch_troubles import *  # noqa: F403
from conftest import Service, until
from solveyard.model.jobs import Reason

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
