"""What is printed: failures first, with what was seen, what was expected and how to mend it; then the areas."""

from collections.abc import Callable

from verification import terminal
from verification.runner import Run
from verification.tests.conftest import a_control, a_register
from verification.tests.test_evidence import CHECKS, CONTROLS

Play = Callable[..., Run]


def printed(run: Run) -> str:
    return "\n".join(terminal.lines(run))


def test_a_failure_comes_first_with_observed_expected_and_how_to_mend_it(play: Play) -> None:
    text = printed(play(CHECKS, controls=CONTROLS))
    wanted = ["failed  TST-002", "observed  3306, 443, 80", "expected  443, 80", "show me   ss -Hltn", "mend it   make converge TAGS=nginx"]
    places = [text.index(part) for part in [*wanted, "not testable here  TST-003", "area ", "score 50 %"]]
    assert places == sorted(places)


def test_the_areas_are_counted_and_empty_columns_left_out(play: Play) -> None:
    text = printed(play(CHECKS, controls={**CONTROLS, **a_register(a_control("TST-004", status="planned"))}))
    head, row = (line.split() for line in text.splitlines() if line.startswith(("area", "TST ")))
    assert head == ["area", "passed", "failed", "not", "testable", "here", "planned"]
    assert row == ["TST", "1", "1", "1", "1"]


def test_long_lists_are_told_by_their_difference(play: Play) -> None:
    run = play(
        """
        @control("TST-001")
        def test_red(see):
            ports = set(range(1000, 1100))
            see.exactly("listening", ports | {3306}, ports)
        """
    )
    assert "differs   not expected: 3306" in printed(run)


def test_no_secret_is_printed(play: Play) -> None:
    run = play(
        """
        @control("TST-001")
        def test_red(see):
            see.exactly("hash", "pbkdf2_sha256$1500000$i97tJ3w9WZitOHX4fQBlyL$rgyOep7eYhKXVRuziOZu9rOBHUlK2p6W6", "none")
        """
    )
    assert "rgyOep7eYhKXVRuziOZu9rOBHUlK2p6W6" not in printed(run)
    assert "removed" in printed(run)
