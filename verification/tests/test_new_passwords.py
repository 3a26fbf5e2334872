"""AUD-002 on what a trial would tell: what is right passes, each way in which it is not is seen; and what is read of events."""

from collections.abc import Callable
from typing import Any

import pytest

from verification.checks import new_passwords as checks
from verification.remote import new_passwords
from verification.tests.test_shape import GOOD, failed

SEEN: dict[str, Any] = {"led to": checks.LED_TO, "opened": checks.OPENED, "events": checks.TOLD, "with a part": [], "with the address": 8}
TOLD, SILENT = checks.test_each_new_password_is_told_with_who_set_whose, checks.test_no_event_has_a_part_of_a_password
CASES: list[tuple[Callable[..., None], str, Any]] = [
    (TOLD, "led to", {**checks.LED_TO, "by root": "200"}),
    (TOLD, "opened", {**checks.OPENED, "before": "/sign-in/verify/"}),
    (TOLD, "events", checks.TOLD[1:]),
    (TOLD, "events", [checks.TOLD[0], ["stranger", "nobody", "the person", "1"], checks.TOLD[2]]),
    (TOLD, "events", [checks.TOLD[0], ["terminal", "nobody", "nobody", "1"], checks.TOLD[2]]),
    (SILENT, "with a part", ["accounts.password.set"]),
    (SILENT, "with the address", 0),
]


def tried(seen: dict[str, Any]) -> dict[str, Any]:
    return {"new passwords": seen}


@pytest.mark.parametrize("check", [TOLD, SILENT])
def test_what_is_right_passes(check: Callable[..., None]) -> None:
    assert failed(check, GOOD, tried=tried(SEEN)) == []


@pytest.mark.parametrize(("check", "name", "value"), CASES)
def test_what_is_not_right_is_seen(check: Callable[..., None], name: str, value: Any) -> None:
    assert failed(check, GOOD, tried=tried({**SEEN, name: value}))


def test_rows_are_read_by_the_names_of_their_columns() -> None:
    assert new_passwords.told("id\tactor\tdetail\n7\t\t{}\n8\tx\t{}\n") == [
        {"id": "7", "actor": "", "detail": "{}"},
        {"id": "8", "actor": "x", "detail": "{}"},
    ]
    assert new_passwords.told("") == []


@pytest.mark.parametrize(("value", "held"), [('{"begins": "qJ7vK9zH"}', True), ("xx-QJ7VK9ZH-xx", True), ("qJ7vK9z", False), ("", False)])
def test_eight_characters_of_a_password_are_a_part_of_it(value: str, held: bool) -> None:
    assert new_passwords.holds({"action": "x", "detail": value}, new_passwords.parts("qJ7vK9zH2sW4")) is held
