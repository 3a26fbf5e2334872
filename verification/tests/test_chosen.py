"""The checks of passwords, roles and references that people's doings show: what is written passes, and nothing else."""

import base64
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from verification.checks import passwords, people, tenants
from verification.remote.chosen import content
from verification.tests.conftest import Stage, an_inventory
from verification.tests.test_shape import EXPECTED, GOOD, failed
from verification.witness import Witness
from verification.words import NotTestable

AT_THE_LINK: dict[str, Any] = {
    "refused": {
        group: {name: ["200", sentences] for name, (_password, sentences) in tried.items()}
        for group, tried in EXPECTED["passwords"]["refused"].items()
    },
    "taken": dict.fromkeys(EXPECTED["passwords"]["taken"], "/enrol/totp/"),
    "opened": dict.fromkeys(EXPECTED["passwords"]["taken"], "/sign-in/verify/"),
    "guessed": 200,
    "in a dump": [],
    "in a session": [],
    "addresses in the dump": 2,
    "sessions with a person": 2,
}
AT_LINKS = {
    passwords.test_a_password_that_was_chosen_is_nowhere_in_the_database: ("in a session", ["twelve small letters"]),
    passwords.test_a_password_has_twelve_characters_of_any_kind: ("taken", {"twelve small letters": "200"}),
    passwords.test_a_password_is_not_made_of_ones_own_name: ("refused", {"named": {}}),
    passwords.test_a_common_password_is_refused_padded_or_not: ("refused", {"common": {"one of the list": ["/enrol/totp/", []]}}),
    passwords.test_a_password_of_digits_alone_is_refused: ("refused", {"digits": {"sixteen digits": ["/enrol/totp/", []]}}),
}


@pytest.mark.parametrize("check", AT_LINKS)
def test_what_was_chosen_at_a_link_passes_and_fails(check: Callable[..., None]) -> None:
    name, value = AT_LINKS[check]
    assert failed(check, GOOD, tried={"passwords at the link": AT_THE_LINK}) == []
    assert failed(check, GOOD, tried={"passwords at the link": {**AT_THE_LINK, name: value}})


def test_a_role_that_may_more_and_one_that_nobody_knows_are_seen() -> None:
    rights, order = EXPECTED["people"]["rights"], EXPECTED["people"]["order_of_rights"]
    seen = {role: {address: answers[number] for address, answers in rights.items()} for number, role in enumerate(order)}
    check = people.test_each_role_opens_at_each_address_what_the_table_says
    assert failed(check, GOOD, seen={"each role": seen}) == []
    more = {**seen, "viewer": {**seen["viewer"], "/o/OWN/audit/": "200"}}
    assert failed(check, GOOD, seen={"each role": more}) == ["where each address leads as viewer"]
    assert failed(check, GOOD, seen={"each role": {**seen, "guest": {}}}) == ["roles that can be chosen"]


def test_a_reference_that_is_taken_is_seen_and_one_by_another_host_cannot_be_tried() -> None:
    ways = EXPECTED["tenancy"]["ways"]
    seen = {"to its own": dict.fromkeys(ways, "taken"), "to the other's": dict.fromkeys(ways, "refused 1452")}
    check = tenants.test_the_database_refuses_the_runtime_account_a_row_that_refers_elsewhere
    assert failed(check, GOOD, seen={"vault": {"references": seen}}) == []
    assert failed(check, GOOD, seen={"vault": {"references": {**seen, "to the other's": seen["to its own"]}}})
    host = Stage(an_inventory()).hosts[0]
    host.tiers = frozenset({"db"})
    with pytest.raises(NotTestable):
        check(host, Witness(), EXPECTED)


@pytest.mark.parametrize("packed", [lambda data: data, lambda data: b"." + data])
def test_a_session_is_unpacked_before_it_is_searched(packed: Callable[[bytes], bytes]) -> None:
    kept = b'{"_auth_user_id": "1", "file_server": "a password"}'
    data = zlib.compress(kept) if packed(b"x").startswith(b".") else kept
    signed = packed(base64.urlsafe_b64encode(data).rstrip(b"=")).decode() + ":1abc:signature"
    assert content(signed) == kept


def test_a_second_form_for_a_new_password_is_seen() -> None:
    forms = {"forms for a new password": ["casemate.accounts.forms.ShortForm"]}
    assert failed(passwords.test_it_is_set_in_one_place, GOOD) == []
    assert failed(passwords.test_it_is_set_in_one_place, {**GOOD, "shape": forms})
