import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import time_machine

from casemate.accounts import open_sessions
from casemate.accounts.models import Session, User
from tests.browser import Browser

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Safari/604.1"


def at(user: User, agent: str, address: str, *, steps: int = 0) -> Browser:
    browser = Browser(address=address, HTTP_USER_AGENT=agent)
    browser.sign_in(user, steps=steps)
    return browser


@pytest.fixture
def two(world: SimpleNamespace) -> tuple[Browser, Browser]:
    """alice at her desk, and on her telephone."""
    desk = at(world.alice, FIREFOX, "192.0.2.7")
    return desk, at(world.alice, PHONE, "2001:db8::9", steps=1)


def names(page: str) -> list[str]:
    return re.findall(r'name="session" value="([0-9a-f]{16})"', page)


def test_a_person_sees_the_own_sessions_with_place_device_and_last_use(two: tuple[Browser, Browser]) -> None:
    page = two[0].get("/sessions/").text
    assert [text in page for text in ("Firefox on Linux", "192.0.2.7", "Safari on iPhone", "2001:db8::9")] == [True] * 4
    assert page.count("this one") == 1
    assert len(names(page)) == 1, "the own one is ended by signing out"


def test_one_that_is_ended_is_gone_at_its_next_request(two: tuple[Browser, Browser]) -> None:
    desk, phone = two
    (other,) = names(desk.get("/sessions/").text)
    assert desk.post("/sessions/", {"session": other}).url == "/sessions/"
    assert phone.get("/").url == "/sign-in/"
    assert "You are signed in nowhere else" in desk.get("/sessions/").text


def test_all_others_end_at_once_and_the_own_one_stays(world: SimpleNamespace, two: tuple[Browser, Browser]) -> None:
    desk, phone = two
    stolen = Browser()
    stolen.give_password(world.alice)
    assert "password alone" in desk.get("/sessions/").text
    desk.post("/sessions/", {"session": "others"})
    assert [browser.get("/sign-in/verify/").url for browser in (phone, stolen)] == ["/sign-in/"] * 2
    assert desk.get("/").status_code == 200


def test_mallory_ends_nobody_elses(world: SimpleNamespace, two: tuple[Browser, Browser]) -> None:
    mallory = at(world.mallory, "curl/8.14", "203.0.113.9")
    (phones,) = names(two[0].get("/sessions/").text)
    assert mallory.post("/sessions/", {"session": phones}).status_code == 302
    mallory.post("/sessions/", {"session": "others"})
    assert Session.objects.filter(user=world.alice).count() == 2
    assert "Firefox" not in mallory.get("/sessions/").text


def test_ending_is_an_event_and_ending_nothing_is_none(
    two: tuple[Browser, Browser], trail: Callable[[], list[tuple[str, bool]]]
) -> None:
    before = len(trail())
    two[0].post("/sessions/", {"session": "0123456789abcdef"})
    assert len(trail()) == before
    two[0].post("/sessions/", {"session": "others"})
    assert trail()[before:] == [("accounts.sessions.end", True)]


def test_one_that_was_left_alone_for_too_long_is_not_listed(
    world: SimpleNamespace, two: tuple[Browser, Browser]
) -> None:
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=29)):
        two[0].get("/")
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=31)):
        assert [one.device for one in open_sessions.of(world.alice, key=None)] == ["Firefox on Linux"]


@pytest.mark.parametrize(
    ("agent", "name"),
    [(FIREFOX, "Firefox on Linux"), (PHONE, "Safari on iPhone"), ("curl/8.14", "curl/8.14"), ("", "")],
)
def test_a_device_is_named_as_its_owner_knows_it(agent: str, name: str) -> None:
    assert open_sessions.device(agent) == name
