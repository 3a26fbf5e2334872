"""The checks of the audit log's own journal, on what a host would tell."""

import copy
from typing import Any

import pytest

from verification.checks import audit
from verification.host import Facts, Newcomer
from verification.tests.conftest import Stage, an_inventory
from verification.witness import Witness
from verification.words import NotApplicable, State

GOOD: dict[str, Any] = {
    "events": 12,
    "newest line": 14,
    "lines": 12,
    "events without their line": [],
    "lines whose event is gone or another": [],
    "written by": ["casemate"],
    "who may add": "0660 root casemate",
}


def failed(check: Any, before: dict[str, Any], after: dict[str, Any] | None = None) -> list[str]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.inside = Facts({"audit_outside": {"value": before}})
    host._newcomer = Newcomer({}, {}, {"accounts.sign_in": 3}, {"accounts.sign_in": 4, "accounts.password.set": 1})
    host.tried = {"lines outside": after or before}
    check(host, see)
    return [one.what for one in see.observations if one.state is not State.PASS]


def test_a_log_that_stands_in_both_places_passes() -> None:
    assert failed(audit.test_each_event_is_also_outside_the_database, GOOD) == []
    after = {**GOOD, "events": 14, "lines": 2}
    assert failed(audit.test_so_are_those_of_somebody_who_has_just_signed_in, GOOD, after) == []


@pytest.mark.parametrize(
    ("name", "value", "seen"),
    [
        ("events without their line", ["installation #7"], "events without their line"),
        ("lines whose event is gone or another", ["installation #7"], "lines whose event is gone or another"),
        ("written by", ["casemate", "mallory"], "who wrote them"),
        ("who may add", "0666 root root", "who may add lines"),
        ("lines", 0, "lines"),
    ],
)
def test_what_is_in_one_place_alone_is_seen(name: str, value: Any, seen: str) -> None:
    assert failed(audit.test_each_event_is_also_outside_the_database, {**copy.deepcopy(GOOD), name: value}) == [seen]


def test_an_enrolment_that_leaves_no_line_is_seen() -> None:
    after = {**GOOD, "events": 14, "lines": 1}
    seen = failed(audit.test_so_are_those_of_somebody_who_has_just_signed_in, GOOD, after)
    assert seen == ["lines that an enrolment added, of its events"]


def test_a_host_where_nothing_was_recorded_is_not_judged() -> None:
    with pytest.raises(NotApplicable):
        failed(audit.test_each_event_is_also_outside_the_database, {**GOOD, "events": 0, "lines": 0})
