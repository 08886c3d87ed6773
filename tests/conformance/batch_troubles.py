"""What holds where a system's commands can be had to fail in every way: those that stand in."""

from pathlib import Path

from batchsystems.sites import StandIn
from cluster.jobs import ended, running
from conformance.batch_suite import MARK, WAIT, evidence, go, store_id, submit
from conftest import Service, until
from solveyard.model.jobs import JobState, Reason


def away(service: Service) -> str:
    """Why its cluster is, ""; it answers."""
    (cluster,) = service.client.cluster_status()
    return "" if cluster.answers else cluster.trouble or "?"


def test_a_submission_whose_answer_is_lost_is_looked_up_and_runs_once(
    site: StandIn, service: Service, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    words, status = site.away
    site.there.fault(site.submits, "say after", text=words, code=status)
    one = submit(site, service, f"{MARK} {marks}")
    record = ended(service, one)
    site.there.well()
    assert record.state is JobState.COMPLETED
    assert marks.read_text().split() == [f"{one}.1"]
    assert len(site.given(f"{store_id(record)}.{one}.")) == 1


def test_a_submission_that_never_arrived_is_sent_again(
    site: StandIn, service: Service, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    words, status = site.away
    site.there.fault(site.submits, "say", text=words, code=status)
    one = submit(site, service, f"{MARK} {marks}")
    until((site.there.folder / "said").exists, "it was not taken")
    until(lambda: f"last time it said: {words}" in service.client.job(one).waiting, "it is told")
    site.there.well()
    record = ended(service, one)
    assert record.state is JobState.COMPLETED
    assert marks.read_text().split() == [f"{one}.1"]
    assert len(site.given(f"{store_id(record)}.{one}.")) == 1


def test_an_answer_that_is_cut_off_or_fails_changes_no_job(site: StandIn, service: Service) -> None:
    one = submit(site, service, WAIT)
    running(service, one)
    site.there.fault(site.asks, "cut", code=site.cut)
    until(lambda: service.client.job(one).stale_since is not None, "it is stale")
    assert service.client.job(one).state is JobState.RUNNING
    words, status = site.away
    site.there.fault(site.asks, "say", text=words, code=status)
    until(lambda: words in away(service), "its words are told")
    go(service, one)
    waiting = submit(site, service, "true")
    until(lambda: f"{site.name} to answer" in service.client.job(waiting).waiting, "it waits")
    assert service.client.job(one).state is JobState.RUNNING
    site.there.well()
    for number in (one, waiting):
        record = ended(service, number)
        assert (record.state, record.stale_since) == (JobState.COMPLETED, None)


def test_a_question_that_hangs_changes_no_job_and_holds_nothing_up(
    site: StandIn, service: Service
) -> None:
    one = submit(site, service, WAIT)
    running(service, one)
    site.there.fault(site.asks, "hang")
    until((site.there.folder / "hung").exists, "it hangs")
    go(service, one)
    assert service.client.job(one).state is JobState.RUNNING
    assert len(service.client.cluster_status()) == 1
    site.there.well()
    assert ended(service, one).state is JobState.COMPLETED


def test_a_job_that_it_forgot_is_lost_only_without_a_record_of_an_end(
    site: StandIn, service: Service
) -> None:
    lost, done = (submit(site, service, text) for text in (WAIT, f"{WAIT}; echo > over; exit 4"))
    natives = [running(service, number).scheduler_job_id or "" for number in (lost, done)]
    site.there.fault(site.asks, "hang")
    go(service, done)
    until((service.store / "jobs" / str(done) / "over").exists, "one has ended")
    until(lambda: site.over(natives[1]), "its system knows that")
    for native_id in natives:
        site.forget(native_id)
    site.there.well()
    assert ended(service, done).exit_code == 4
    record = ended(service, lost)
    assert (record.state, record.reason) == (JobState.FAILED, Reason.LOST)
    assert f"{site.name} doesn't know it any more" in evidence(record)


def test_a_cancellation_that_was_asked_for_before_a_kill_is_carried_out_after_it(
    site: StandIn, service: Service
) -> None:
    one = submit(site, service, "sleep 600")
    running(service, one)
    site.there.fault(site.asks, "hang")
    site.there.fault(site.cancels, "hang")
    service.client.cancel(one)
    service.kill()
    site.there.well()
    service.start()
    record = ended(service, one)
    assert (record.state, record.reason) == (JobState.CANCELLED, Reason.CANCELLED)


def test_a_command_that_is_not_there_is_named_with_the_way_out(
    site: StandIn, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(site.settings)
    one = Service(
        tmp_path / "store", environment={"PATH": "/usr/bin:/bin", "SOLVEYARD_CONFIG": str(config)}
    )
    try:
        one.start()
        until(lambda: bool(one.client.cluster_status()[0].trouble), "it is known to be away")
        trouble = one.client.cluster_status()[0].trouble
        assert f"there is no {site.first}" in trouble
        assert f"`clusters.{site.name}.prologue`" in trouble
    finally:
        one.clean_up()
