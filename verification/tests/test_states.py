"""What a check says becomes one state a control and host, and nothing is green by absence."""

from collections.abc import Callable

import pytest

from verification.runner import Run
from verification.tests.conftest import a_control, a_register
from verification.words import ACTIVE_IS_OFF, CannotRun, State, Waiver, worst

Play = Callable[..., Run]
GREEN = """
@control("TST-001")
def test_it_is_so(see):
    see.exactly("answer", 42, 42)
"""
RED = GREEN.replace("42, 42", "41, 42")


def only(run: Run) -> State:
    (result,) = run.results
    return result.state


def test_a_passing_observation_passes(play: Play) -> None:
    run = play(GREEN)
    assert (only(run), run.failed, run.score) == (State.PASS, False, 1.0)


def test_a_difference_fails_and_says_what_it_is(play: Play) -> None:
    run = play(RED)
    assert (only(run), run.failed) == (State.FAIL, True)
    assert run.results[0].reason == "answer: observed 41, expected 42"


def test_one_failing_observation_among_many_fails(play: Play) -> None:
    run = play(
        """
        @control("TST-001")
        def test_first(see):
            see.exactly("one", {1}, {1})
            see.exactly("two", {1, 2}, {1})
            see.exactly("three", {3}, {3})
        """
    )
    assert only(run) is State.FAIL
    assert [o.state for o in run.results[0].observations] == [State.PASS, State.FAIL, State.PASS]


def test_two_checks_of_one_control_give_one_result_the_worst(play: Play) -> None:
    run = play(GREEN + RED.replace("it_is_so", "it_is_not"))
    assert only(run) is State.FAIL


def test_a_check_that_looks_at_nothing_fails(play: Play) -> None:
    run = play('@control("TST-001")\ndef test_nothing():\n    pass\n')
    assert only(run) is State.FAIL
    assert "made no observation" in run.results[0].reason


def test_a_fact_that_could_not_be_read_fails(play: Play) -> None:
    run = play('@control("TST-001")\ndef test_it(host, see):\n    see.exactly("x", host.inside["sockets"], [])\n')
    assert only(run) is State.FAIL
    assert "could not be observed" in run.results[0].reason


def test_a_check_that_breaks_fails_with_its_error(play: Play) -> None:
    run = play('@control("TST-001")\ndef test_it(see):\n    {}["key"]\n')
    assert only(run) is State.FAIL
    assert "the check itself broke: KeyError" in run.results[0].reason


def test_not_testable_keeps_its_reason_and_is_no_pass(play: Play) -> None:
    run = play('@control("TST-001")\ndef test_it(see):\n    raise NotTestable("no kernel support")\n')
    assert (only(run), run.failed, run.score) == (State.NOT_TESTABLE, False, None)
    assert run.results[0].reason == "no kernel support"


def test_not_applicable_is_neither(play: Play) -> None:
    run = play('@control("TST-001")\ndef test_it(see):\n    raise NotApplicable("no database here")\n')
    assert (only(run), run.failed, run.score) == (State.NOT_APPLICABLE, False, None)


def test_worse_wins() -> None:
    assert worst([State.PASS, State.NOT_TESTABLE]) is State.NOT_TESTABLE
    assert worst([State.NOT_TESTABLE, State.FAIL, State.PASS]) is State.FAIL
    assert worst([State.NOT_APPLICABLE, State.PASS]) is State.PASS
    assert worst([]) is State.FAIL


ACTIVE = GREEN.replace('"TST-001"', '"TST-001", active=True')


def test_an_active_check_does_not_run_by_itself(play: Play) -> None:
    run = play(ACTIVE, facts={"disposable": True})
    assert (only(run), run.results[0].reason) == (State.NOT_TESTABLE, ACTIVE_IS_OFF)


def test_an_active_check_that_was_held_back_takes_nothing_from_what_was_seen(play: Play) -> None:
    assert only(play(GREEN + ACTIVE.replace("it_is_so", "acting"), facts={"disposable": True})) is State.PASS


def test_an_active_check_does_not_run_on_somebodys_host(play: Play) -> None:
    run = play(ACTIVE, facts={"disposable": False}, active=True)
    assert only(run) is State.NOT_TESTABLE


def test_an_active_check_runs_on_a_disposable_host(play: Play) -> None:
    assert only(play(ACTIVE, facts={"disposable": True}, active=True)) is State.PASS


def test_where_controls_are_named_only_their_active_checks_run(play: Play) -> None:
    assert only(play(ACTIVE, facts={"disposable": True}, active={"TST-001"})) is State.PASS
    assert only(play(ACTIVE, facts={"disposable": True}, active={"TST-002"})) is State.NOT_TESTABLE


def test_a_waiver_says_who_and_why_until_when(play: Play) -> None:
    run = play(RED, waivers=(Waiver("TST-001", "Ada", "the old scanner needs it", "2999-12-31"),))
    assert (only(run), run.failed, run.score) == (State.WAIVED, False, None)
    assert run.results[0].reason == "Ada: the old scanner needs it (until 2999-12-31)"


def test_an_expired_waiver_fails_even_where_the_check_passes(play: Play) -> None:
    run = play(GREEN, waivers=(Waiver("TST-001", "Ada", "the old scanner needs it", "2020-01-31"),))
    assert (only(run), run.failed) == (State.FAIL, True)
    assert "the waiver of Ada ended on 2020-01-31" in run.problems[0]


def test_a_waiver_of_an_unknown_control_fails_the_run(play: Play) -> None:
    run = play(GREEN, waivers=(Waiver("TST-999", "Ada", "typo", "2999-12-31"),))
    assert run.failed
    assert run.problems == ["declared.yml waives TST-999, which is not in the register"]


def test_an_implemented_control_without_a_check_fails_the_run_by_name(play: Play) -> None:
    run = play(GREEN, controls=a_register(a_control(), a_control("TST-002")))
    assert run.problems == ["TST-002 is implemented and has no check"]
    assert run.result("TST-002", "stage").state is State.FAIL  # type: ignore[union-attr]


def test_a_planned_control_is_counted_and_not_judged(play: Play) -> None:
    run = play(GREEN, controls=a_register(a_control(), a_control("TST-002", status="planned")))
    assert not run.failed
    assert [control.id for control in run.planned] == ["TST-002"]


def test_an_id_that_is_not_in_the_register_fails_the_run_by_name(play: Play) -> None:
    run = play(GREEN + GREEN.replace("TST-001", "TST-404").replace("it_is_so", "stranger"))
    assert run.problems == ["TST-404 has a check or a probe and is not in the register"]


def test_a_control_of_another_tier_is_not_asked_of_this_host(play: Play) -> None:
    run = play(GREEN, controls=a_register(a_control(), a_control("TST-002", applies_to="cache")))
    assert [result.control for result in run.results] == ["TST-001"]


def test_a_strict_control_is_not_asked_of_a_baseline_installation(play: Play) -> None:
    assert only(play(RED, controls=a_register(a_control(profile="strict")))) is State.NOT_APPLICABLE


def test_checks_that_cannot_be_loaded_are_no_verification(play: Play) -> None:
    with pytest.raises(CannotRun, match="could not be loaded"):
        play("import a_module_that_is_not_there")
