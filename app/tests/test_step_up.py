"""The second factor again: when it is asked for, what refuses it, and where it leads."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
import time_machine
from django.conf import settings as configured
from django.http import HttpResponse

from casemate.accounts import gate
from casemate.accounts.assurance import StepUpRequired
from casemate.accounts.views import own_path
from casemate.audit.models import Event
from tests.browser import Browser, code_of

NOON = datetime(2026, 5, 1, 12, 0, 5, tzinfo=UTC)
SignedIn = Callable[[str], Browser]


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def alice_at_noon(clock: Any, signed_in: SignedIn) -> Browser:
    return signed_in("alice")


@pytest.fixture
def page(world: SimpleNamespace) -> str:
    """One that asks for a fresh second factor."""
    return f"/o/acme/members/{world.membership['bob'].pk}/"


def test_a_sign_in_is_fresh_for_ten_minutes(alice_at_noon: Browser, clock: Any, page: str) -> None:
    clock.shift(timedelta(minutes=9, seconds=59))
    assert alice_at_noon.get(page).status_code == 200
    clock.shift(timedelta(seconds=2))
    answer = alice_at_noon.get(page)
    assert (answer.status_code, unquote(answer.url)) == (303, f"/step-up/?next={page}")


def test_the_strict_profile_allows_five_minutes(alice_at_noon: Browser, clock: Any, page: str, settings: Any) -> None:
    settings.STEP_UP_AGE = timedelta(minutes=5)
    clock.shift(timedelta(minutes=5, seconds=1))
    assert alice_at_noon.get(page).status_code == 303
    assert "more than 5 minutes ago" in alice_at_noon.get("/step-up/").text


@pytest.mark.parametrize(("profile", "minutes"), [("baseline", 10), ("lab", 10), ("strict", 5)])
def test_each_profile_says_how_long(profile: str, minutes: int) -> None:
    says = "from casemate import settings; print(int(settings.STEP_UP_AGE.total_seconds()))"
    told = subprocess.run(  # noqa: S603
        [sys.executable, "-c", says],
        env={**os.environ, "CASEMATE_PROFILE": profile},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == str(minutes * 60)


@pytest.mark.parametrize("method", ["get", "post"])
def test_too_old_a_factor_changes_nothing_and_the_right_code_leads_back(
    alice_at_noon: Browser, clock: Any, world: SimpleNamespace, page: str, method: str
) -> None:
    clock.shift(timedelta(minutes=11))
    answer = getattr(alice_at_noon, method)(page, {"role": "viewer"})
    assert answer.status_code == 303
    world.membership["bob"].refresh_from_db()
    assert world.membership["bob"].role == "editor"
    assert "Confirm that it is you" in alice_at_noon.get(answer.url).text
    before = alice_at_noon.cookies[configured.SESSION_COOKIE_NAME].value
    back = alice_at_noon.post(answer.url, {"code": code_of(world.alice)})
    assert (back.status_code, back.url) == (303, page)
    assert alice_at_noon.cookies[configured.SESSION_COOKIE_NAME].value != before, "a new session id with new rights"
    assert alice_at_noon.get(page).status_code == 200
    assert list(Event.objects.order_by("-pk").values_list("action", "success")[:1]) == [("accounts.step_up", True)]


def test_a_wrong_code_is_refused_and_audited(alice_at_noon: Browser, clock: Any, page: str) -> None:
    clock.shift(timedelta(minutes=11))
    assert "That code is wrong" in alice_at_noon.post("/step-up/", {"code": "000000"}).text
    assert alice_at_noon.get(page).status_code == 303
    event = Event.objects.latest("pk")
    assert (event.action, event.success, event.detail) == ("accounts.step_up", False, {"result": "wrong"})


def test_the_code_of_the_sign_in_is_not_taken_again(alice_at_noon: Browser, world: SimpleNamespace, page: str) -> None:
    answer = alice_at_noon.post("/step-up/", {"code": code_of(world.alice)})
    assert "used already" in answer.text


def test_wrong_codes_make_even_the_right_one_wait(alice_at_noon: Browser, clock: Any, world: SimpleNamespace) -> None:
    clock.shift(timedelta(minutes=11))
    alice_at_noon.post("/step-up/", {"code": "000000"})
    assert "Too many wrong codes. Wait 1 s" in alice_at_noon.post("/step-up/", {"code": code_of(world.alice)}).text
    clock.shift(1)
    assert alice_at_noon.post("/step-up/", {"code": code_of(world.alice)}).status_code == 303


def test_five_wrong_codes_end_it_for_this_address(alice_at_noon: Browser, clock: Any, world: SimpleNamespace) -> None:
    clock.shift(timedelta(minutes=11))
    answers = []
    for failures in range(5):
        answers.append(alice_at_noon.post("/step-up/", {"code": "000000"}).status_code)
        clock.shift(2**failures)
    assert answers == [200, 200, 200, 200, 429]
    assert alice_at_noon.post("/step-up/", {"code": code_of(world.alice)}).status_code == 429


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "12\x00456", "-12345", "1e5", "9" * 500, "<b>1</b>"]
)
def test_what_is_no_code_gets_a_sentence(alice_at_noon: Browser, clock: Any, page: str, code: str) -> None:
    clock.shift(timedelta(minutes=11))
    answer = alice_at_noon.post("/step-up/", {"code": code})
    assert answer.status_code == 200
    assert 'id="id_code_error"' in answer.text
    assert alice_at_noon.get(page).status_code == 303


ELSEWHERE = [
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example",
    "https://evil.example/",
    "https:evil.example",
    "https:///evil.example",
    "HTTPS:/evil.example",
    "http:\\\\evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/\t/evil.example",
    "/\n/evil.example",
    "\n//evil.example",
    " //evil.example",
    "/\r\nSet-Cookie: x=1",
    "/%0d%0aLocation:%20//evil.example",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "/o/acme/../../evil",
    "/.//evil.example",
    "/;//evil.example",
    "/@evil.example",
    "/?next=//evil.example",
    "/#//evil.example",
    "/\x00",
    "/\u2044\u2044evil.example",
    "/\u3002evil",
    "evil.example",
    "",
    "/no/such/page/",
    "/o/acme/" + "a" * 600,
]


@pytest.mark.parametrize("text", ELSEWHERE)
def test_it_never_leads_to_another_site(text: str) -> None:
    assert own_path(text) == "/"


@pytest.mark.parametrize("text", ELSEWHERE[:4])
def test_nor_does_the_page(alice_at_noon: Browser, clock: Any, world: SimpleNamespace, text: str) -> None:
    clock.shift(timedelta(minutes=11))
    answer: HttpResponse = alice_at_noon.post(
        "/step-up/", {"code": code_of(world.alice), "next": text}, query_params={"next": text}
    )
    assert (answer.status_code, answer["Location"]) == (303, "/")


@pytest.mark.parametrize("text", ["/", "/o/acme/members/", "/o/a-b_c/members/"])
def test_it_leads_to_pages_of_this_site(text: str) -> None:
    assert own_path(text) == text


def test_the_page_is_not_for_those_who_are_not_signed_in(world: SimpleNamespace, browser: Browser) -> None:
    assert browser.post("/step-up/", {"code": "000000"}).url == "/sign-in/"
    browser.give_password(world.alice)
    assert browser.post("/step-up/", {"code": code_of(world.alice)}).url == "/sign-in/verify/"
    assert browser.get("/").url == "/sign-in/verify/"


def test_the_decorator_goes_to_the_path_alone(alice_at_noon: Browser, clock: Any, page: str) -> None:
    clock.shift(timedelta(minutes=11))
    answer = alice_at_noon.get(page + "?next=//evil.example&role=owner")
    assert unquote(answer.url) == f"/step-up/?next={page}"


def test_a_service_that_asks_for_it_by_itself_leads_to_the_page_too(
    alice_at_noon: Browser, clock: Any, page: str, monkeypatch: Any
) -> None:
    """With what the decorator looks at switched off, the service's own refusal becomes the redirect."""
    monkeypatch.setattr(gate.Assurance, "fresh", property(lambda _self: True))
    monkeypatch.setattr(gate.Assurance, "require_fresh", refuse)
    answer = alice_at_noon.post(page, {"role": "viewer"})
    assert (answer.status_code, unquote(answer.url)) == (303, f"/step-up/?next={page}")


def refuse(_assurance: Any) -> None:
    raise StepUpRequired
