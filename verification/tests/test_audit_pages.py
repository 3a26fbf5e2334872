"""AUD-016 on what a host would tell: pages that read and do nothing else pass, each way in which they are not so is seen."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from verification.checks import audit_pages as checks
from verification.host import Facts
from verification.household import Household
from verification.remote import audit_pages
from verification.tests.conftest import Stage, an_inventory
from verification.tests.test_shape import EXPECTED
from verification.witness import Witness
from verification.words import State

AUDIT, TYPED = EXPECTED["audit"], EXPECTED["typed"]["shown"]
OWN, READER = "/o/ORGANIZATION/audit/", "auditor at /o/ORGANIZATION/audit/"
GOOD: dict[str, Any] = {
    "inside": {
        "application": {"routes": ["/sign-in/", *AUDIT["pages"]]},
        "as_accounts": {"app": dict(AUDIT["attempts"])},
    },
    "tried": {
        "opened": AUDIT["pages"],
        "tried": dict.fromkeys(AUDIT["readers"], AUDIT["methods"]),
        "offers": {reader: {"forms": ["get"], "sends": [], "leads elsewhere": [], "lines": 8} for reader in AUDIT["readers"]},
        "events": 8,
        "other events": 0,
    },
    "typed": {page: {"as text": TYPED[page], "as markup": []} for page in AUDIT["shows_what_was_typed"]},
}
DATABASE = checks.test_there_are_two_pages_and_the_database_refuses_what_they_do_not_offer
OPENED = checks.test_they_open_to_those_who_may_read_them_and_to_nobody_else
METHODS = checks.test_a_reader_is_refused_every_method_but_reading
OFFERS = checks.test_the_pages_offer_a_search_and_nothing_else
TEXT = checks.test_what_people_typed_is_text_on_them
CASES: list[tuple[Callable[..., None], tuple[str, ...], Any]] = [
    (DATABASE, ("inside", "application", "routes"), [*AUDIT["pages"], "/o/ORGANIZATION/audit/1/delete/"]),
    (DATABASE, ("inside", "application", "routes"), [*AUDIT["pages"], "/admin/"]),
    (DATABASE, ("inside", "as_accounts", "app", "delete an event"), "done"),
    (OPENED, ("tried", "opened", OWN, "viewer"), "200"),
    (OPENED, ("tried", "opened", "/audit/", "stranger"), "200"),
    (OPENED, ("tried", "opened"), {}),
    (METHODS, ("tried", "tried", READER, "POST"), "200"),
    (METHODS, ("tried", "tried", READER, "DELETE"), "403"),
    (METHODS, ("tried", "tried"), {}),
    (METHODS, ("tried", "events"), 0),
    (METHODS, ("tried", "other events"), 1),
    (OFFERS, ("tried", "offers", READER, "forms"), ["get", "post"]),
    (OFFERS, ("tried", "offers", READER, "sends"), ["hx-delete"]),
    (OFFERS, ("tried", "offers", READER, "leads elsewhere"), ["/o/x/audit/1/"]),
    (OFFERS, ("tried", "offers", READER, "lines"), 0),
    (OFFERS, ("tried", "offers"), {}),
    (TEXT, ("typed", OWN.replace("ORGANIZATION", "OWN"), "as markup"), ["folder"]),
    (TEXT, ("typed", "/audit/", "as text"), []),
    (TEXT, ("typed",), {}),
]


def failed(check: Callable[..., None], given: dict[str, Any]) -> list[str]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.inside = Facts({name: {"value": value} for name, value in given["inside"].items()})
    host.tried = {"audit pages": given["tried"]}
    host._household, host._household_parts = Household({"markup": given["typed"]}, {}, 3, [], True), frozenset({"markup"})
    check(host, see, EXPECTED)
    assert see.observations
    return [one.what for one in see.observations if one.state is not State.PASS]


@pytest.mark.parametrize("check", [DATABASE, OPENED, METHODS, OFFERS, TEXT])
def test_what_is_right_passes(check: Callable[..., None]) -> None:
    assert failed(check, GOOD) == []


@pytest.mark.parametrize(("check", "place", "value"), CASES)
def test_what_is_not_right_is_seen(check: Callable[..., None], place: tuple[str, ...], value: Any) -> None:
    given = copy.deepcopy(GOOD)
    *above, last = place
    holder: Any = given
    for key in above:
        holder = holder[key]
    holder[last] = value
    assert failed(check, given)


BODY = '<header><form method="post"></form></header><main id="content">{}</main><footer></footer>'


@pytest.mark.parametrize(
    ("content", "name", "found"),
    [
        (
            '<form method="get"><button>Show</button></form><a href="?before=7">Older</a><a href="/own/">Show everything</a>',
            "forms",
            ["get"],
        ),
        ('<a href="?before=7">Older</a><a href="/own/?x=1">x</a>', "leads elsewhere", []),
        ('<a href="/own/7/delete/">Delete</a>', "leads elsewhere", ["/own/7/delete/"]),
        ('<a href="//elsewhere.invalid/own/">x</a>', "leads elsewhere", ["//elsewhere.invalid/own/"]),
        ('<form method="POST"></form><form></form>', "forms", ["post", "get"]),
        ('<button hx-delete="/own/7/">x</button><button formmethod="post">x</button>', "sends", ["hx-delete", "formmethod"]),
        ("<time>a</time><time>b</time>", "lines", 2),
    ],
)
def test_what_a_page_offers_is_read_between_head_and_foot(content: str, name: str, found: Any) -> None:
    assert audit_pages.offered(BODY.format(content), "/own/")[name] == found


def test_everybody_who_may_read_a_page_tries_each_method() -> None:
    assert {f"{name} at {page}" for name, page in audit_pages.READERS} == set(AUDIT["readers"])
    assert set(audit_pages.METHODS) == set(AUDIT["methods"])
    may = {f"{name} at {page}" for page, answers in AUDIT["pages"].items() for name, answer in answers.items() if answer == "200"}
    assert may == set(AUDIT["readers"])
