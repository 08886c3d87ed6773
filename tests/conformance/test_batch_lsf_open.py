"""What depends on it, on a stand-in for an open relative of LSF, which tells no exit codes."""

from conformance.batch_suite import (
    test_a_dependency_that_can_never_be_met,
    test_a_running_job_is_cancelled,
    test_a_signal,
    test_a_waiting_job_is_cancelled,
    test_an_arrays_tasks_end_each_as_it_did_and_keep_its_limit,
    test_an_exit_code,
    test_its_time_limit,
    test_one_of_several_that_went_together_is_cancelled_without_the_others,
    test_success_has_its_expected_output_and_two_witnesses,
    test_what_ended_while_the_manager_was_down_is_taken_up,
    test_what_somebody_else_cancels_is_told_as_far_as_it_tells,
    test_what_somebody_else_cancels_while_it_waits_is_not_handed_in_again,
)
from conformance.batch_troubles import (
    test_a_job_that_it_forgot_is_lost_only_without_a_record_of_an_end,
    test_a_submission_whose_answer_is_lost_is_looked_up_and_runs_once,
)

SITES = ("lsf-open",)

__all__ = [
    "test_a_dependency_that_can_never_be_met",
    "test_a_job_that_it_forgot_is_lost_only_without_a_record_of_an_end",
    "test_a_running_job_is_cancelled",
    "test_a_signal",
    "test_a_submission_whose_answer_is_lost_is_looked_up_and_runs_once",
    "test_a_waiting_job_is_cancelled",
    "test_an_arrays_tasks_end_each_as_it_did_and_keep_its_limit",
    "test_an_exit_code",
    "test_its_time_limit",
    "test_one_of_several_that_went_together_is_cancelled_without_the_others",
    "test_success_has_its_expected_output_and_two_witnesses",
    "test_what_ended_while_the_manager_was_down_is_taken_up",
    "test_what_somebody_else_cancels_is_told_as_far_as_it_tells",
    "test_what_somebody_else_cancels_while_it_waits_is_not_handed_in_again",
]
