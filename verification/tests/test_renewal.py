"""AUTH-002 and AUTH-026 on what a trial would tell: what is right passes, and each way in which it is not is seen."""

from collections.abc import Callable
from typing import Any

import pytest

from verification.checks import renewal
from verification.remote import renewed
from verification.remote.visitor import Visitor
from verification.tests.test_shape import EXPECTED, GOOD, failed

OUT = "/sign-in/"
SEEN: dict[str, dict[str, Any]] = {
    "milliseconds": {"known": 160, "unknown": 150},
    "hash": {
        "weak": EXPECTED["renewal"]["weak_hash"],
        "where the right password leads": "/sign-in/verify/",
        "after it": EXPECTED["password_hash"],
        "where it leads once more": "/sign-in/verify/",
    },
    "change": {
        "enrolled": "200",
        "signed in": "/",
        "before": ["200", "200"],
        "links before": ["410", "200"],
        "a new password": "/enrol/totp/",
        "then": [OUT, OUT],
        "links then": ["410", "410"],
        "the old password": "200",
        "the new one": ["/sign-in/verify/", "/enrol/totp/"],
        "a new factor": "200",
        "at last": [OUT, OUT, OUT],
        "whose factor it is": "200",
        "links at last": ["410", "410"],
    },
}
HASH, TIME = (
    renewal.test_a_hash_of_weaker_parameters_is_renewed_at_the_next_sign_in,
    renewal.test_an_unknown_name_takes_as_long_as_a_known_one,
)
PASSWORD, FACTOR = renewal.test_a_new_password_ends_the_other_sessions, renewal.test_a_new_factor_ends_the_sessions_that_wait_for_it
LINKS = renewal.test_links_end_with_a_newer_one_and_with_the_change
CASES: list[tuple[Callable[..., None], str, str, Any]] = [
    (HASH, "hash", "after it", EXPECTED["renewal"]["weak_hash"]),
    (HASH, "hash", "weak", EXPECTED["password_hash"]),
    (HASH, "hash", "where it leads once more", "200"),
    (TIME, "milliseconds", "unknown", 30),
    (TIME, "milliseconds", "known", 80),
    (TIME, "milliseconds", "known", 0),
    (PASSWORD, "change", "then", [OUT, "200"]),
    (PASSWORD, "change", "before", [OUT, "200"]),
    (FACTOR, "change", "at last", [OUT, OUT, "/sign-in/verify/"]),
    (LINKS, "change", "links before", ["200", "200"]),
    (LINKS, "change", "links then", ["410", "200"]),
]


def tried(seen: dict[str, Any]) -> dict[str, Any]:
    return {"passwords and factors made anew": seen}


@pytest.mark.parametrize("check", [HASH, TIME, PASSWORD, FACTOR, LINKS])
def test_what_is_right_passes(check: Callable[..., None]) -> None:
    assert failed(check, GOOD, tried=tried(SEEN)) == []


@pytest.mark.parametrize(("check", "part", "name", "value"), CASES)
def test_what_is_not_right_is_seen(check: Callable[..., None], part: str, name: str, value: Any) -> None:
    assert failed(check, GOOD, tried=tried({**SEEN, part: {**SEEN[part], name: value}}))


def test_a_link_is_read_from_what_the_application_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewed, "output", lambda *_argv: "a warning\nlink first-token\nlink second-token\n")
    assert renewed.links("a@b.invalid", "a@b.invalid") == ["/enrol/first-token/", "/enrol/second-token/"]


def test_the_quickest_of_several_counts_and_one_that_was_not_refused_counts_for_nothing() -> None:
    class Person(Visitor):
        def __init__(self, status: int) -> None:
            self.jar, self.person, self.status = {}, {"email": "alice@acme.invalid"}, status

        def get(self, path: str) -> dict[str, Any]:
            return {"status": 200, "path": path}

        def post(self, path: str, **fields: str) -> dict[str, Any]:
            return {"status": self.status, "path": path, **fields}

    found = renewed.quickest(Person(200), Person(429))
    assert found["unknown"] == 0
