"""APP-022 on what a host would tell: people with names of their own pass, each way in which they have not is seen."""

import ast
import copy
import re
from typing import Any

import pytest

from verification.checks import guessed_names as checks
from verification.inventory import ROOT
from verification.remote import guessed_names
from verification.tests.test_shape import EXPECTED, failed

CALLED = checks.test_nobody_has_a_name_that_is_tried_first_or_was_there_before_the_first_enrolment
TRIED = checks.test_nobody_gets_such_a_name
WANTED = EXPECTED["names_of_people"]
PEOPLE = {"people": 7, "with such a name": 0, "without a link": 0}
REFUSED = dict.fromkeys(WANTED["refused"], "refused")
SEEN: dict[str, Any] = {
    "enrol_operator": {**REFUSED, **dict.fromkeys(WANTED["taken"], "taken")},
    "create_organization": REFUSED,
    "add_member": REFUSED,
    "createsuperuser": {WANTED["refused"][0]: "AttributeError"},
    "made": sorted(["alice", *WANTED["taken"]]),
}


def red(seen: dict[str, Any]) -> list[str]:
    return failed(TRIED, {}, tried={"names of people": seen})


def test_what_is_right_passes() -> None:
    assert failed(CALLED, {"people_called": PEOPLE}) == []
    assert red(SEEN) == []


@pytest.mark.parametrize("what", ["with such a name", "without a link"])
def test_one_who_is_there_is_seen(what: str) -> None:
    assert len(failed(CALLED, {"people_called": {**PEOPLE, what: 1}})) == 1


@pytest.mark.parametrize(
    ("way", "name", "how"),
    [
        ("enrol_operator", "admin", "taken"),
        ("create_organization", "root", "taken"),
        ("add_member", "test-2026", "CommandError"),
        ("enrol_operator", "badminton", "refused"),
        ("createsuperuser", "admin", "taken"),
    ],
)
def test_one_name_that_is_otherwise_is_seen(way: str, name: str, how: str) -> None:
    seen = copy.deepcopy(SEEN)
    seen[way][name] = how
    assert red(seen)


def test_somebody_more_and_a_way_that_was_not_tried_are_seen() -> None:
    assert red({**SEEN, "made": [*SEEN["made"], "admin"]})
    assert len(red({**SEEN, "add_member": {}})) == 1


def test_what_is_asked_of_the_database_finds_names_with_what_may_stand_behind() -> None:
    names = "|".join(EXPECTED["read_inside"]["guessed_names"])
    asked = re.search(r"REGEXP '(.*)'", guessed_names.CALLED.format(names=names))
    assert asked
    assert all(re.search(asked[1], name) for name in WANTED["refused"])
    assert not any(re.search(asked[1], name) for name in WANTED["taken"])
    ast.parse(guessed_names.TRIED)


def test_the_application_refuses_at_least_what_is_looked_for() -> None:
    text = (ROOT / "app/casemate/accounts/guessed.py").read_text()
    assert {*EXPECTED["read_inside"]["guessed_names"]} <= {*re.findall(r'"(\w+)"', text)}


@pytest.mark.parametrize(
    ("came", "found"),
    [
        ("CommandError: admin@x begins with a name that everybody tries first, so", "refused"),
        ("AttributeError: 'UserManager' object", "AttributeError"),
        ("taken", "taken"),
    ],
)
def test_what_came_is_said_in_a_word(came: str, found: str) -> None:
    assert guessed_names.short(came) == found
