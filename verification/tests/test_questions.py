"""AUD-014 on what a host would tell: the planted events alone pass, each other answer is seen; and how an answer is read."""

import ast
import copy
from typing import Any

import pytest

from verification.checks import questions as checks
from verification.remote import questions
from verification.tests.test_shape import failed

CHECK = checks.test_each_question_is_answered_by_its_events_alone_and_in_order_of_time
GOOD: dict[str, Any] = {
    "tried": ["200", "200"],
    **{question: {"ours": planted, "others": [], "in order": True} for question, planted in checks.PLANTED.items()},
}
GOOD["failed-sign-ins"]["others"] = [["the installation", "Somebody not signed in gave a wrong password for x@y.invalid"]]
GOOD["new-passwords"]["others"] = [["the installation", "x@y.invalid set their password"]]


def red(seen: dict[str, Any]) -> list[str]:
    return failed(CHECK, {}, tried={"questions of an incident": seen})


def test_what_is_right_passes() -> None:
    assert red(GOOD) == []


@pytest.mark.parametrize(
    ("question", "part", "value"),
    [
        ("failed-sign-ins", "ours", checks.PLANTED["failed-sign-ins"][:1]),
        ("failed-sign-ins", "others", [["the installation", "x@y.invalid signed in"]]),
        ("failed-sign-ins", "in order", False),
        ("new-passwords", "ours", []),
        ("new-passwords", "ours", [["OWN", "owner changed the password Router, changed"]]),
        ("new-passwords", "others", [["acme", "x@y.invalid changed the password Router"]]),
        ("person", "ours", checks.PLANTED["person"][::-1]),
        ("person", "others", [["the installation", "x@y.invalid signed in"]]),
        ("organization", "ours", [*checks.PLANTED["organization"], ["the installation", "owner signed in"]]),
        ("organization", "others", [["acme", "x@y.invalid made the folder Routers"]]),
    ],
)
def test_what_is_not_right_is_seen(question: str, part: str, value: Any) -> None:
    seen = copy.deepcopy(GOOD)
    seen[question][part] = value
    assert red(seen)


def test_a_try_that_was_not_refused_is_seen() -> None:
    assert red({**GOOD, "tried": ["/sign-in/verify/", "200"]})


SLUG = "verify-0a1b-walk"
LINES = (
    "2026-05-01 12:00:00 UTC  the installation  127.3.4.5  Somebody not signed in gave a wrong password for editor-0a1b@casemate.invalid\n"
    "2026-05-01 12:00:01 UTC  the installation  192.0.2.7  x@y.invalid gave a wrong second factor\n"
    f"2026-05-01 12:00:01 UTC  {SLUG}  the host  An operator at the host added as a member owner-0a1b@casemate.invalid  role: owner\n"
    f"2026-05-01 12:00:02 UTC  {SLUG}  the host  An operator at the host made the organisation Verification\n"
)


def test_lines_are_read_by_whom_they_are_about() -> None:
    assert questions.read(LINES, SLUG) == {
        "ours": [
            ["the installation", "Somebody not signed in gave a wrong password for editor"],
            ["OWN", "An operator at the host added as a member owner"],
            ["OWN", "An operator at the host made the organisation Verification"],
        ],
        "others": [["the installation", "x@y.invalid gave a wrong second factor"]],
        "in order": True,
    }
    turned = "\n".join(LINES.splitlines()[::-1])
    assert questions.read(turned, SLUG)["in order"] is False


def test_an_answer_of_nothing_is_in_no_order() -> None:
    assert questions.read("No event of the last 1 days is like that.\n", SLUG) == {"ours": [], "others": [], "in order": False}


def test_what_is_planted_can_be_run() -> None:
    ast.parse(questions.PLANT)
