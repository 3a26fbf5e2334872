"""X-15 on what a host would tell: what asks for a fresh factor passes, each way in which it does not is seen."""

import ast
import copy
from collections.abc import Callable
from typing import Any

import pytest

from verification import expectations
from verification.checks import step_up as checks
from verification.remote import step_up
from verification.remote.visitor import NOWHERE
from verification.tests.test_shape import EXPECTED, failed

WANTED = EXPECTED["step_up"]
REVEAL = f"/o/ORGANIZATION/vault/{NOWHERE}/reveal/"
GOOD: dict[str, Any] = {
    "ages": WANTED["ages"],
    "asked for again": WANTED["addresses"],
    "forms": {route: f"/step-up/ for {route}" for route in WANTED["addresses"]},
    "asks": WANTED["services"]["ask"],
    "others": list(WANTED["services"]["do_not_ask"]),
    "called": {name.rpartition(".")[2]: "StepUpRequired" for name in WANTED["services"]["ask"]},
    "acts": [],
    "role": "viewer",
    "fresh": {
        "reveal": [200, True],
        "role": WANTED["fresh"]["role"][0],
        "role then": WANTED["fresh"]["role"][1],
        "called": WANTED["fresh"]["called"],
        "acts": WANTED["fresh"]["acts"],
    },
}
AGES, FORMS = checks.test_a_factor_is_fresh_for_minutes_and_then_asked_for_again, checks.test_no_form_is_taken_with_a_factor_that_is_too_old
SERVICES, FRESH = checks.test_the_services_themselves_refuse_it, checks.test_with_a_fresh_one_the_same_is_done
CASES: list[tuple[Callable[..., None], tuple[str, ...], Any]] = [
    (AGES, ("ages", "11"), "200"),
    (AGES, ("ages", "9"), "/step-up/"),
    (AGES, ("asked for again",), WANTED["addresses"][1:]),
    (FORMS, ("forms", REVEAL), "200"),
    (FORMS, ("forms",), {}),
    (FORMS, ("acts",), ["vault.password.reveal"]),
    (FORMS, ("role",), "auditor"),
    (FORMS, ("role",), ""),
    (SERVICES, ("asks",), WANTED["services"]["ask"][1:]),
    (SERVICES, ("others",), [*WANTED["services"]["do_not_ask"], "vault.exports.export"]),
    (SERVICES, ("called", "reveal"), "done"),
    (SERVICES, ("called",), {}),
    (FRESH, ("fresh", "reveal"), [303, False]),
    (FRESH, ("fresh", "role then"), "viewer"),
    (FRESH, ("fresh", "called", "copy"), "StepUpRequired"),
    (FRESH, ("fresh", "acts"), []),
]


def tried(seen: dict[str, Any]) -> dict[str, Any]:
    return {"the second factor again": seen}


@pytest.mark.parametrize("check", [AGES, FORMS, SERVICES, FRESH])
def test_what_is_right_passes(check: Callable[..., None]) -> None:
    assert failed(check, {}, tried=tried(GOOD)) == []


@pytest.mark.parametrize(("check", "place", "value"), CASES)
def test_what_is_not_right_is_seen(check: Callable[..., None], place: tuple[str, ...], value: Any) -> None:
    seen = copy.deepcopy(GOOD)
    *above, last = place
    holder: Any = seen
    for key in above:
        holder = holder[key]
    holder[last] = value
    assert failed(check, {}, tried=tried(seen))


def test_strict_asks_after_five_minutes() -> None:
    ages = expectations.load("strict", {"site_name": "casemate.test"})["step_up"]["ages"]
    assert {minutes: where.partition(" ")[0] for minutes, where in ages.items()} == {
        "4": "200",
        "6": "/step-up/",
        "9": "/step-up/",
        "11": "/step-up/",
    }


def test_what_the_check_expects_is_what_the_look_tries() -> None:
    assert set(step_up.FORMS) == set(WANTED["addresses"])
    assert str(step_up.TOO_LATE) in WANTED["ages"]
    assert all(WANTED["services"]["do_not_ask"].values()), "each has its reason"
    assert set(WANTED["fresh"]["acts"]) < set(step_up.ACTS)
    for script in (step_up.SERVICES, step_up.AGED, step_up.CALLED_FRESH):
        ast.parse(script)


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("/step-up/?next=/o/x/vault/7/reveal/", f"/step-up/ for {REVEAL}"),
        ("/step-up/?next=%2Fo%2Fx%2Fvault%2F7%2Freveal%2F", f"/step-up/ for {REVEAL}"),
        ("/step-up/?next=/elsewhere/", "/step-up/ for /elsewhere/"),
        ("/o/x/members/", "/o/ORGANIZATION/members/"),
        ("", "200"),
    ],
)
def test_where_an_answer_leads_is_said_by_routes(location: str, found: str) -> None:
    ways = {REVEAL: "/o/x/vault/7/reveal/", "/o/ORGANIZATION/members/": "/o/x/members/"}
    headers = [["location", location]] if location else []
    assert step_up.place({"status": 200, "headers": headers, "body": ""}, ways) == found
