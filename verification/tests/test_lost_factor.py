"""AUTH-014, OPS-011 and AUD-003 on what a trial would tell: what is right passes, what is not is seen; and what is read of events."""

from collections.abc import Callable
from typing import Any

import pytest

from verification.checks import lost_factor as checks
from verification.remote import lost_factor
from verification.tests.test_shape import GOOD, failed

SEEN: dict[str, Any] = {
    "had": {"devices": 2, "codes": 10},
    "left": {"devices": 0, "codes": 0},
    "led to": checks.LED_TO,
    "told before": False,
    "told": True,
    "by a link": "/enrol/totp/",
    "a backup code": "/",
    "of the factor": checks.OF_THE_FACTOR,
    "of revealing": checks.OF_REVEALING,
    "revealed before": {"own": checks.REVEALED, "else": checks.REVEALED},
    "revealed then": {"own": checks.REFUSED, "else": checks.REFUSED},
    "confirmed by": checks.CONFIRMED,
    "revealed once alice confirmed": {"own": checks.REVEALED, "else": checks.REFUSED},
    "revealed after": {"1439": checks.REFUSED, "1441": checks.REVEALED},
    "tries that are told": checks.TOLD_TRIES,
}
GONE = checks.test_a_reset_leaves_no_device_no_code_and_no_session
TOLD = checks.test_the_person_and_each_organisation_read_of_it
WAITS = checks.test_nothing_is_revealed_for_a_day_or_until_another_owner_confirms
WHOLE = checks.test_a_factor_that_was_taken_over_goes_whole_and_only_a_new_link_leads_back
FACTOR = checks.test_what_becomes_of_a_second_factor_is_told_with_who_did_it_to_whom
RESET = "accounts.second_factor.reset"
CASES: list[tuple[Callable[..., None], str, Any]] = [
    (GONE, "had", {"devices": 0, "codes": 0}),
    (GONE, "left", {"devices": 1, "codes": 0}),
    (GONE, "left", {"devices": 0, "codes": 10}),
    (GONE, "led to", {**checks.LED_TO, "the session": "200"}),
    (GONE, "led to", {**checks.LED_TO, "the link of before": "200"}),
    (TOLD, "told", False),
    (TOLD, "told before", True),
    (TOLD, "of revealing", {**checks.OF_REVEALING, "organizations.member.suspend_revealing": []}),
    (WAITS, "revealed before", {"own": checks.REVEALED, "else": checks.REFUSED}),
    (WAITS, "revealed then", {"own": {**checks.REFUSED, "copied": [200, True]}, "else": checks.REFUSED}),
    (WAITS, "confirmed by", {**checks.CONFIRMED, "bob himself": "/o/ELSE/members/"}),
    (WAITS, "confirmed by", {**checks.CONFIRMED, "an administrator": "/o/OWN/members/"}),
    (WAITS, "revealed once alice confirmed", {"own": checks.REVEALED, "else": checks.REVEALED}),
    (WAITS, "revealed after", {"1439": checks.REVEALED, "1441": checks.REVEALED}),
    (WAITS, "revealed after", {"1439": checks.REFUSED, "1441": checks.REFUSED}),
    (WAITS, "tries that are told", {"else": 9, "own": 0}),
    (WHOLE, "left", {"devices": 0, "codes": 10}),
    (WHOLE, "led to", {**checks.LED_TO, "the password": "/sign-in/verify/"}),
    (WHOLE, "led to", {**checks.LED_TO, "the new link": "404"}),
    (FACTOR, "a backup code", "200"),
    (FACTOR, "of the factor", {**checks.OF_THE_FACTOR, RESET: checks.OF_THE_FACTOR[RESET][:1]}),
    (FACTOR, "of the factor", {**checks.OF_THE_FACTOR, "accounts.totp.enrol": []}),
]


def tried(seen: dict[str, Any]) -> dict[str, Any]:
    return {"a lost second factor": seen}


@pytest.mark.parametrize("check", [GONE, TOLD, WAITS, WHOLE, FACTOR])
def test_what_is_right_passes(check: Callable[..., None]) -> None:
    assert failed(check, GOOD, tried=tried(SEEN)) == []


@pytest.mark.parametrize(("check", "name", "value"), CASES)
def test_what_is_not_right_is_seen(check: Callable[..., None], name: str, value: Any) -> None:
    assert failed(check, GOOD, tried=tried({**SEEN, name: value}))


def test_events_are_told_by_words_for_whom_and_where() -> None:
    made = {"names": {"1": "alice", "2": "bob"}, "streams": {"7": "own", "8": "else"}}
    event = {"actor_kind": "terminal", "actor": "", "target_id": "2", "success": "1", "stream": "8"}
    suspended = "organizations.member.suspend_revealing"
    found = lost_factor.of_bob(
        [
            {**event, "action": suspended},
            {**event, "action": suspended, "stream": "7"},
            {**event, "action": suspended, "target_id": "3"},
            {**event, "action": "vault.suspended", "actor_kind": "person", "actor": "2", "target_id": "", "success": "0"},
        ],
        made,
    )
    assert found["of revealing"][suspended] == [["else", "terminal", "nobody", "bob", "1"], ["own", "terminal", "nobody", "bob", "1"]]
    assert found["of the factor"] == {action: [] for action in lost_factor.OF_THE_FACTOR}
    assert found["tries that are told"] == {"else": 1, "own": 0}
