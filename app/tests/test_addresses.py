"""From where people signed in for the first time, as an operator reads it."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from types import SimpleNamespace

import pytest
import time_machine
from django.core.management import CommandError, call_command

from tests.browser import ADDRESS, Browser

HOME, OFFICE = "198.51.100.4", "2001:db8:1:2:3::4"
START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def report(*words: str) -> list[list[str]]:
    out = StringIO()
    call_command("new_addresses", *words, stdout=out)
    return [line.split("  ") for line in out.getvalue().splitlines()]


def sign_in(person: object, address: str, day: float) -> None:
    with time_machine.travel(START + timedelta(days=day)):
        Browser(address=address).sign_in(person)  # type: ignore[arg-type]


def test_each_address_of_a_person_is_listed_once_the_newest_first(world: SimpleNamespace) -> None:
    sign_in(world.alice, ADDRESS, 0)
    sign_in(world.alice, HOME, 1)
    sign_in(world.alice, ADDRESS, 2)
    sign_in(world.bob, HOME, 3)
    with time_machine.travel(START + timedelta(days=4)):
        found = report()
    assert [line[:5] for line in found] == [
        ["2026-05-04 12:00 UTC", world.bob.email, HOME, "the first of this person", "1 sign-ins"],
        ["2026-05-02 12:00 UTC", world.alice.email, HOME, "1 known before", "1 sign-ins"],
        ["2026-05-01 12:00 UTC", world.alice.email, ADDRESS, "the first of this person", "2 sign-ins"],
    ]
    assert found[0][5] == f"to shut it out: sudo casemate-ban {HOME} --for 7d"


def test_what_was_known_before_is_not_new(world: SimpleNamespace) -> None:
    sign_in(world.alice, ADDRESS, 0)
    sign_in(world.alice, HOME, 30)
    sign_in(world.alice, ADDRESS, 31)
    with time_machine.travel(START + timedelta(days=32)):
        assert [(line[2], line[3]) for line in report("--days", "7")] == [(HOME, "1 known before")]


def test_an_ipv6_network_is_one_address(world: SimpleNamespace) -> None:
    sign_in(world.alice, OFFICE, 0)
    sign_in(world.alice, "2001:db8:1:2:ffff::9", 1)
    with time_machine.travel(START + timedelta(days=2)):
        assert [(line[2], line[4]) for line in report()] == [(OFFICE, "2 sign-ins")]


def test_who_did_not_come_in_is_not_listed(world: SimpleNamespace) -> None:
    Browser(address=HOME).give_password(world.alice, "wrong")
    Browser(address=HOME).give_password(world.alice)
    assert report() == [["Nobody signed in from a new address within 30 days."]]


@pytest.mark.parametrize("days", ["0", "-1", "4000"])
def test_a_time_that_is_none_gets_a_sentence(days: str, db: None) -> None:
    with pytest.raises(CommandError, match="a number of days from 1 to 3660"):
        report(f"--days={days}")
